import { z } from 'zod';

const NAME = z.string().regex(/^(?:\*\.)?[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?$/i);
const NAME_AND_PORT = z.string().regex(/^[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?:\d{1,5}$/i);

/** An entry of `HTTP_ALLOW_HOSTS`: `name`, `name:port`, `*.domain`, an address or a range of addresses. */
export const allowedHostSchema = z.union(
  [z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6(), NAME, NAME_AND_PORT],
  'is not a host, host:port, *.domain, address or range',
);

/** An entry of `ALLOWED_HOSTS`: `name`, `name:port`, `*.domain` or an address. */
export const ownHostSchema = z.union([z.ipv4(), z.ipv6(), NAME, NAME_AND_PORT], 'is not a host, host:port, *.domain or address');
