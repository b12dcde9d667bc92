import { useNavigate } from '@tanstack/react-router'
import { Check, FolderKanban } from 'lucide-react'
import { useState } from 'react'
import { can } from '@/api/rights'
import { useUser } from '@/api/session'
import type { Project, Server } from '@/api/types'
import { AppDialog } from '@/components/app-dialog'
import { EmptyState } from '@/components/empty-state'
import { Logo } from '@/components/logo'
import { ProjectDialog } from '@/components/project-dialog'
import { Button } from '@/components/ui/button'
import { cn } from '@/lib/cn'

type Props = { servers: Server[]; projects: Project[] }

/** The way to the first running app, by the hand. */
export function FirstSteps({ servers, projects }: Props) {
  const user = useUser()
  const navigate = useNavigate()
  const [open, setOpen] = useState<'project' | 'app' | null>(null)
  if (!can(user, 'servers:manage') && projects.length === 0)
    return (
      <EmptyState icon={FolderKanban} title="Nothing to see yet">
        You are not a member of any project. Ask an administrator to add you to one.
      </EmptyState>
    )
  const steps = [
    {
      title: 'Add a server',
      text: 'Any machine that you reach by SSH and that has Docker. Nothing is installed on it.',
      done: servers.length > 0,
      act: 'Add server',
      onAct: () => void navigate({ to: '/servers', search: { add: true } }),
    },
    {
      title: 'Create a project',
      text: 'It groups apps, and says who may see and start them.',
      done: projects.length > 0,
      act: 'New project',
      onAct: () => setOpen('project'),
    },
    {
      title: 'Add an app and start it',
      text: 'A directory with a compose file on that server. It stops by itself when its time is over.',
      done: false,
      act: 'Add app',
      onAct: () => setOpen('app'),
    },
  ]
  const current = steps.findIndex((step) => !step.done)
  return (
    <div className="mx-auto max-w-xl pt-6">
      <Logo className="mb-4 size-8 text-accent" />
      <h2 className="font-semibold text-lg tracking-tight">To your first running app</h2>
      <p className="mb-6 text-ink-2">Three steps, a few minutes.</p>
      <ol className="overflow-hidden rounded-lg border border-line bg-surface">
        {steps.map((step, i) => (
          <li key={step.title} className="flex items-start gap-3 border-line border-b p-4 last:border-0">
            <span
              className={cn(
                'nums mt-px grid size-5.5 shrink-0 place-items-center rounded-full border font-medium text-xs',
                step.done && 'border-transparent bg-good-wash text-good',
                !step.done &&
                  (i === current ? 'border-transparent bg-accent-solid text-white' : 'border-line-strong text-ink-3'),
              )}
            >
              {step.done ? <Check className="size-3" aria-label="done" /> : i + 1}
            </span>
            <div className="min-w-0 flex-1">
              <p className={cn('font-medium text-base', i > current && 'text-ink-2')}>{step.title}</p>
              <p className="text-ink-2">{step.text}</p>
            </div>
            {i === current && (
              <Button variant="primary" onClick={step.onAct}>
                {step.act}
              </Button>
            )}
          </li>
        ))}
      </ol>
      <ProjectDialog open={open === 'project'} onOpenChange={() => setOpen(null)} />
      <AppDialog open={open === 'app'} onOpenChange={() => setOpen(null)} />
    </div>
  )
}
