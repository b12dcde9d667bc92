/** The mark: a key that is an anchor. Its bow is the ring, its bit the stock, and it holds at the quay. */
export function Logo({ className }: { className?: string }) {
  return (
    <svg
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      strokeWidth="2.2"
      strokeLinecap="round"
      strokeLinejoin="round"
      className={className}
      aria-hidden="true"
    >
      <circle cx="12" cy="5.2" r="3" />
      <path d="M12 8.2V20.4" />
      <path d="M12 12.2h4.2M12 15.6h2.8" />
      <path d="M3.6 14.2c.6 4 4 6.6 8.4 6.6s7.8-2.6 8.4-6.6" />
    </svg>
  )
}
