import { Button } from './ui/button'

type Props = { hasNextPage: boolean; isFetchingNextPage: boolean; fetchNextPage: () => unknown }

export function LoadMore({ hasNextPage, isFetchingNextPage, fetchNextPage }: Props) {
  if (!hasNextPage) return null
  return (
    <div className="grid justify-items-center border-line border-t p-3">
      <Button size="sm" pending={isFetchingNextPage} onClick={() => fetchNextPage()}>
        Show older
      </Button>
    </div>
  )
}
