import { z } from 'zod';

/** An entry of `HTTP_ALLOW_HOSTS`: `name`, `name:port`, `*.domain`, an address or a range of addresses. */
export const allowedHostSchema = z.union(
  [
    z.ipv4(),
    z.ipv6(),
    z.cidrv4(),
    z.cidrv6(),
    z.string().regex(/^(?:\*\.)?[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?$/i),
    z.string().regex(/^[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?:\d{1,5}$/i),
  ],
  'is no host, host:port, *.domain, address or range',
);
