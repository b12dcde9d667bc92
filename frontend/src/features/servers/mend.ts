const MEND: Record<string, string> = {
  dns: 'Check the address for a typing error, or use the IP address.',
  tcp_refused: 'The machine answers, but nothing listens on this port. Check the port, and that sshd runs.',
  tcp_timeout: 'No answer. Check that the machine is up and that no firewall is in between.',
  host_key_unknown: 'Compare the fingerprint with the one on the machine, then trust it.',
  host_key_changed: 'Find out why it changed before you trust the new one. No credential was sent.',
  auth_failed: 'Check the user, and that the key is in its authorized_keys or the password is right.',
  docker_missing: 'Install Docker on the machine: apt install docker.io, or see docs.docker.com.',
  docker_denied: 'Let the user talk to Docker: usermod -aG docker USER, then test again.',
  docker_down: 'Start Docker on the machine: systemctl start docker.',
  timeout: 'The machine took too long. Look at its load, and try again.',
}

/** What to do about a reason; null for one that this version does not know. */
export function mendFor(reason: string | null | undefined): string | null {
  return reason ? (MEND[reason] ?? null) : null
}
