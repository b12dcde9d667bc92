import { QueryClientProvider } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { keys } from './api/keys'
import { makeQueryClient } from './api/query-client'
import { onSignedOut } from './api/transport'
import { TooltipProvider } from './components/ui/tooltip'
import './index.css'
import { applyTheme, readTheme } from './lib/theme'
import { makeRouter } from './router'

applyTheme(readTheme())

const queryClient = makeQueryClient()
const router = makeRouter(queryClient)

onSignedOut(() => {
  if (queryClient.getQueryData(keys.session) === null) return
  queryClient.setQueryData(keys.session, null)
  void router.invalidate()
})

const root = document.getElementById('root')
if (root)
  createRoot(root).render(
    <StrictMode>
      <QueryClientProvider client={queryClient}>
        <TooltipProvider delayDuration={300}>
          <RouterProvider router={router} />
        </TooltipProvider>
      </QueryClientProvider>
    </StrictMode>,
  )
