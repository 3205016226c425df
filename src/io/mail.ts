/** What a mail says; headers and envelope are its sender's. */
export interface MailText {
  /** Without the `[router_id]` in front. */
  readonly subject: string;
  readonly body: string;
}
