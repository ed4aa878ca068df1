/** Asks the service in this container whether it is ready: exit code 0 when it is. For HEALTHCHECK, where there is no curl. */
import { loadConfig } from './config.ts';

const { host, port } = loadConfig(process.env);
const address = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
try {
  const response = await fetch(`http://${address.includes(':') ? `[${address}]` : address}:${port}/readyz`, {
    signal: AbortSignal.timeout(2_000),
  });
  process.stdout.write(`${response.status} ${await response.text()}\n`);
  process.exitCode = response.ok ? 0 : 1;
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
