/** What VRRP's timers allow, in milliseconds: RFC 9568 §6.1 for version 3, RFC 3768 §6.1 for version 2. */

export interface TimerSettings {
  readonly version: 2 | 3;
  readonly priority: number;
  readonly advertIntervalMs: number;
}

/** How long a backup of this priority waits behind the others: after an advert of priority 0 nothing else. */
export function skewMs({ version, priority, advertIntervalMs }: TimerSettings): number {
  return ((256 - priority) * (version === 2 ? 1000 : advertIntervalMs)) / 256;
}

/** How long a backup hears nothing before it takes over. */
export function activeDownMs(settings: TimerSettings): number {
  return 3 * settings.advertIntervalMs + skewMs(settings);
}
