import { ArrowDown, ArrowUp } from 'lucide-react'
import type { CSSProperties, ReactNode } from 'react'
import { cn } from '@/lib/cn'

export type Column<Row> = {
  id: string
  header: ReactNode
  cell: (row: Row) => ReactNode
  /** A grid track: `8rem`, `minmax(0, 2fr)`. */
  width: string
  /** Hidden where the table has less room than this: 36rem and 58rem. */
  from?: 'md' | 'lg'
  align?: 'end'
  sortable?: boolean
}

export type Sort = { by: string; down: boolean }

type Props<Row> = {
  label: string
  columns: Column<Row>[]
  rows: Row[]
  rowKey: (row: Row) => string
  sort?: Sort
  onSort?: (sort: Sort) => void
}

/** Rows that are laid out, or left out, together: each group costs the browser a little, each row in it much more. */
const GROUP_ROWS = 24

function inGroups<Row>(all: Row[]): { from: number; rows: Row[] }[] {
  const groups = []
  for (let from = 0; from < all.length; from += GROUP_ROWS)
    groups.push({ from, rows: all.slice(from, from + GROUP_ROWS) })
  return groups
}

const HIDDEN = { md: '@max-[36rem]:hidden', lg: '@max-[58rem]:hidden' } as const

/**
 * Dense rows on one grid: a real table cannot leave out the layout of rows that are off screen, so the roles are said.
 * A link in the first cell may cover its row: `after:absolute after:inset-0`.
 */
export function DataTable<Row>({ label, columns, rows, rowKey, sort, onSort }: Props<Row>) {
  const tracks = (shown: (column: Column<Row>) => boolean) =>
    columns
      .filter(shown)
      .map((column) => column.width)
      .join(' ')
  const style = {
    '--cols': tracks(() => true),
    '--cols-md': tracks((column) => column.from !== 'lg'),
    '--cols-sm': tracks((column) => column.from === undefined),
  } as CSSProperties
  return (
    <div role="table" className="@container" aria-label={label} aria-rowcount={rows.length + 1} style={style}>
      <div role="row" className="grid-row h-9 gap-x-4 px-4">
        {columns.map((column) => (
          <HeaderCell key={column.id} column={column} sort={sort} onSort={onSort} />
        ))}
      </div>
      {inGroups(rows).map((group) => (
        <div
          key={group.from}
          role="rowgroup"
          className="row-group-lazy"
          style={{ '--rows': group.rows.length } as CSSProperties}
        >
          {group.rows.map((row) => (
            <div
              key={rowKey(row)}
              role="row"
              className="grid-row relative min-h-11 gap-x-4 border-line border-t px-4 py-1.5 hover:bg-hover"
            >
              {columns.map((column) => (
                <div
                  key={column.id}
                  role="cell"
                  className={cn(
                    'min-w-0',
                    column.align && 'justify-self-end text-right',
                    column.from && HIDDEN[column.from],
                  )}
                >
                  {column.cell(row)}
                </div>
              ))}
            </div>
          ))}
        </div>
      ))}
    </div>
  )
}

type HeaderProps<Row> = { column: Column<Row>; sort?: Sort; onSort?: (sort: Sort) => void }

function HeaderCell<Row>({ column, sort, onSort }: HeaderProps<Row>) {
  const active = sort?.by === column.id
  const className = cn('label-caps min-w-0 truncate', column.align && 'text-right', column.from && HIDDEN[column.from])
  if (!column.sortable || !onSort)
    return (
      <div role="columnheader" className={className}>
        {column.header}
      </div>
    )
  const Arrow = sort?.down ? ArrowDown : ArrowUp
  return (
    <div
      role="columnheader"
      aria-sort={active ? (sort.down ? 'descending' : 'ascending') : 'none'}
      className={className}
    >
      <button
        type="button"
        className={cn('flex items-center gap-1 rounded hover:text-ink', column.align && 'ml-auto flex-row-reverse')}
        onClick={() => onSort({ by: column.id, down: active ? !sort.down : false })}
      >
        {column.header}
        <Arrow className={cn('size-3', !active && 'opacity-0')} aria-hidden />
      </button>
    </div>
  )
}
