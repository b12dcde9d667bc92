import { defineConfig } from 'vitest/config'

/** The journeys: real Chromium against a running service, one after the other. `npm run e2e` says what they need. */
export default defineConfig({
  test: {
    root: import.meta.dirname,
    environment: 'node',
    include: ['*.test.ts'],
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
})
