import { type ComponentProps, type ElementType, type ReactNode, useLayoutEffect } from 'react'

type RemoveScrollProps = {
  as?: ElementType
  enabled?: boolean
  children?: ReactNode
  allowPinchZoom?: boolean
  shards?: unknown
} & Omit<ComponentProps<'div'>, 'children'>

let locks = 0

/**
 * Stands in for `react-remove-scroll`, which Radix uses while a dialog or menu is open. That one injects a style
 * element, which a strict `style-src` refuses; this one sets an attribute that the style sheet knows.
 */
export function RemoveScroll({ as: As = 'div', enabled = true, allowPinchZoom, shards, ...rest }: RemoveScrollProps) {
  useLayoutEffect(() => {
    if (!enabled) return
    locks += 1
    document.documentElement.dataset.scrollLocked = ''
    return () => {
      locks -= 1
      if (locks === 0) delete document.documentElement.dataset.scrollLocked
    }
  }, [enabled])
  return <As {...rest} />
}
