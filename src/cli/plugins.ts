export async function plugins(_kind: string | undefined, _options: unknown): Promise<void> {}
