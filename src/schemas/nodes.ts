import { z } from 'zod';

export const nodeViewSchema = z
  .object({
    name: z.string(),
    url: z.string().meta({ description: 'How the other nodes reach it.' }),
    role: z.enum(['owner', 'follower']),
    position: z.int().meta({ description: 'The last position of the log that it has applied, when it last said so.' }),
    lagSeconds: z.number().meta({ description: 'How far it is behind the log.' }),
    hands: z.int().meta({ description: 'Hands that are connected to it.' }),
    version: z.string(),
  })
  .meta({ id: 'ClusterNode' });

/** A node as `GET /nodes` shows it. */
export type NodeView = z.infer<typeof nodeViewSchema>;
