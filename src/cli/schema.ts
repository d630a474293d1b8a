export async function schema(_options: unknown): Promise<void> {}
