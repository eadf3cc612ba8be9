/** The options of a trigger, as the form holds them. Empty: not given. */
export interface TestOptions {
  queue: string;
  concurrencyKey: string;
  delay: string;
  ttl: string;
  tags: string;
  maxAttempts: string;
  maxDuration: string;
  machine: string;
  idempotencyKey: string;
}

export const NO_OPTIONS: TestOptions = {
  queue: "",
  concurrencyKey: "",
  delay: "",
  ttl: "",
  tags: "",
  maxAttempts: "",
  maxDuration: "",
  machine: "",
  idempotencyKey: "",
};

const whole = (text: string): number | undefined => (text.trim() === "" ? undefined : Number(text));
const filled = (text: string): string | undefined => text.trim() || undefined;

/** As `options` of `POST /api/v1/tasks/:id/trigger`. The run counts as a test. */
export function triggerOptions(options: TestOptions) {
  const tags = options.tags
    .split(",")
    .map((tag) => tag.trim())
    .filter((tag) => tag !== "");
  return {
    test: true,
    queue: filled(options.queue) ? { name: options.queue.trim() } : undefined,
    concurrencyKey: filled(options.concurrencyKey),
    delay: filled(options.delay),
    ttl: filled(options.ttl),
    tags: tags.length > 0 ? tags : undefined,
    maxAttempts: whole(options.maxAttempts),
    maxDuration: whole(options.maxDuration),
    machine: filled(options.machine) as "small-1x" | undefined,
    idempotencyKey: filled(options.idempotencyKey),
  };
}
