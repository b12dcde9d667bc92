import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { expect, it } from 'vitest'

const SRC = resolve(import.meta.dirname)

function files(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
}

/** The files of our own that a file imports, statically or not, as paths under `src`. */
function imports(file: string, text = readFileSync(file, 'utf8')): string[] {
  const found = [...text.matchAll(/(?:from|import\()\s*'([^']+)'/g)].map(([, path]) => path ?? '')
  return found.flatMap((path) => {
    if (path.startsWith('@/')) return [path.slice(2)]
    return path.startsWith('.') ? [relative(SRC, resolve(dirname(file), path))] : []
  })
}

const area = (path: string) => path.split('/')[0] ?? ''
const feature = (path: string) => (area(path) === 'features' ? path.split('/')[1] : undefined)
const sources = files(SRC).map((file) => ({ path: relative(SRC, file), imported: imports(file) }))

/** What each area may import besides itself. Equals never import each other. */
const MAY: Record<string, string[]> = {
  lib: [],
  api: ['lib'],
  live: ['api', 'lib'],
  components: ['api', 'lib', 'live'],
  features: ['api', 'components', 'lib', 'live'],
  routes: ['api', 'components', 'features', 'lib', 'live'],
}

it('finds the files and their imports', () => {
  expect(sources.length).toBeGreaterThan(80)
  expect(imports(join(SRC, 'features/a/x.ts'), "import { y } from '../b/y'\nconst z = import('@/lib/z')")).toEqual([
    'features/b/y',
    'lib/z',
  ])
})

it('features do not import features', () => {
  const wrong = sources.flatMap(({ path, imported }) => {
    const own = feature(path)
    return own
      ? imported.filter((each) => feature(each) && feature(each) !== own).map((each) => `${path} → ${each}`)
      : []
  })
  expect(wrong).toEqual([])
})

it('imports go down: routes, features, components, live, api, lib', () => {
  const wrong = sources.flatMap(({ path, imported }) => {
    const allowed = MAY[area(path)]
    if (!allowed) return []
    return imported
      .filter((each) => area(each) !== area(path) && !allowed.includes(area(each)))
      .map((each) => `${path} → ${each}`)
  })
  expect(wrong).toEqual([])
})

it('only the client and the short names read the generated schema', () => {
  const readers = sources.filter(({ imported }) => imported.includes('api/schema.gen')).map(({ path }) => path)
  expect(readers.toSorted()).toEqual(['api/client.ts', 'api/types.ts'])
})

it('a file stays under 500 lines', () => {
  const long = files(SRC).filter(
    (file) => !file.endsWith('.gen.ts') && readFileSync(file, 'utf8').split('\n').length > 500,
  )
  expect(long).toEqual([])
})
