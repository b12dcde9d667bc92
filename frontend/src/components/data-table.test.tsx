import { render, screen } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { expect, it, vi } from 'vitest'
import { type Column, DataTable } from './data-table'

const COLUMNS: Column<string>[] = [
  { id: 'name', header: 'Name', width: '1fr', sortable: true, cell: (row) => row },
  { id: 'size', header: 'Size', width: '4rem', from: 'lg', cell: (row) => row.length },
]

it('is a table to a screen reader', () => {
  render(<DataTable label="Things" columns={COLUMNS} rows={['a', 'bb']} rowKey={(row) => row} />)
  expect(screen.getByRole('table', { name: 'Things' })).toBeInTheDocument()
  expect(screen.getAllByRole('row')).toHaveLength(3)
  expect(screen.getAllByRole('cell').map((cell) => cell.textContent)).toEqual(['a', '1', 'bb', '2'])
})

it('keeps every row, in order, over the groups that are laid out together', () => {
  const rows = Array.from({ length: 60 }, (_, i) => `row ${i}`)
  render(<DataTable label="T" columns={COLUMNS.slice(0, 1)} rows={rows} rowKey={(row) => row} />)
  expect(screen.getAllByRole('cell').map((cell) => cell.textContent)).toEqual(rows)
})

it('turns the order round on the second press, and says which it is', async () => {
  const onSort = vi.fn()
  render(
    <DataTable
      label="T"
      columns={COLUMNS}
      rows={[]}
      rowKey={String}
      sort={{ by: 'name', down: false }}
      onSort={onSort}
    />,
  )
  expect(screen.getByRole('columnheader', { name: 'Name' })).toHaveAttribute('aria-sort', 'ascending')
  await userEvent.click(screen.getByRole('button', { name: 'Name' }))
  expect(onSort).toHaveBeenCalledWith({ by: 'name', down: true })
})
