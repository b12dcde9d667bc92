import { fileURLToPath } from 'node:url'
import tailwindcss from '@tailwindcss/vite'
import react from '@vitejs/plugin-react'
import { defineConfig } from 'vitest/config'

const src = (path: string) => fileURLToPath(new URL(`./src/${path}`, import.meta.url))
const backend = process.env.QUAYMASTER_URL ?? 'http://127.0.0.1:8080'

export default defineConfig({
  // Relative, so that the same build serves under any BASE_PATH: the server writes the path into <base href>.
  base: './',
  plugins: [react(), tailwindcss()],
  resolve: {
    alias: {
      '@': src(''),
      // Radix locks scrolling with an injected <style>, which the content policy forbids: ours uses a class.
      'react-remove-scroll': src('lib/remove-scroll.tsx'),
    },
  },
  build: {
    target: ['chrome123', 'firefox121', 'safari17.5'],
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      output: {
        // What most pages share comes in one piece; each page is one more.
        codeSplitting: {
          groups: [
            { name: 'vendor', test: /node_modules/ },
            { name: 'shared', test: /src\/(api|components|lib|live)\// },
          ],
        },
      },
    },
  },
  server: {
    proxy: {
      '/api': { target: backend, changeOrigin: false },
      '/ws': { target: backend, ws: true },
    },
  },
  test: {
    environment: 'jsdom',
    setupFiles: ['./src/test-setup.ts'],
    include: ['src/**/*.test.{ts,tsx}'],
    restoreMocks: true,
  },
})
