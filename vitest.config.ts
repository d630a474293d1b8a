import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    setupFiles: ['reflect-metadata'],
    globalSetup: ['test/support/build.ts'],
  },
  resolve: { alias: { escapement: fileURLToPath(new URL('./src/index.ts', import.meta.url)) } },
});
