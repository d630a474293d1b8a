declare global {
  interface ImportMeta {
    /** Vite's; build.js does the same for the bundle. */
    glob(pattern: string): Readonly<Record<string, () => Promise<unknown>>>;
  }
}

/**
 * Where plugins are found: every file in a folder of its kind, loaded only when a scenario names it. A plugin's file
 * bears its name, so a name is enough to load it; nothing lists them by hand.
 */
const files = import.meta.glob('./*/*.ts');

/** Loads the plugins whose names are among `names` (of every kind that has one of that name). */
export async function loadPlugins(names: ReadonlySet<string>): Promise<void> {
  await Promise.all(
    Object.entries(files)
      .filter(([file]) => names.has(file.slice(file.lastIndexOf('/') + 1, -'.ts'.length)))
      .map(([, load]) => load()),
  );
}

/** Loads all plugins in one folder, e.g. `formats`. */
export async function loadPluginsOf(folder: string): Promise<void> {
  const chosen = Object.entries(files).filter(([file]) => file.startsWith(`./${folder}/`));
  await Promise.all(chosen.map(([, load]) => load()));
}

export async function loadAllPlugins(): Promise<void> {
  await Promise.all(Object.values(files).map(load => load()));
}
