import Fastify from 'fastify';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { describeApi } from '../../src/http/schemas/openapi.ts';
import { serializerCompiler, validatorCompiler } from '../../src/http/schemas/schema-compiler.ts';

const ROUTES = 5;

/** A service with some routes, and how often the reply of one has been looked at. */
async function described() {
  const app = Fastify();
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  const describeWhenIdle = await describeApi(app, '1.2.3');
  const looks = new Map<string, number>();
  for (let i = 0; i < ROUTES; i++) {
    const name = `operation${i}`;
    const schema = {
      operationId: name,
      get response() {
        looks.set(name, (looks.get(name) ?? 0) + 1);
        return { 200: z.object({ n: z.number() }) };
      },
    };
    app.get(`/things/${i}`, { schema, config: { scope: 'public' } as never }, async () => ({ n: i }));
  }
  await app.ready();
  return { app, looks, describeWhenIdle };
}

it('is made route by route before anybody asks for it, one in a turn of the loop', async () => {
  const { app, looks, describeWhenIdle } = await described();
  const before = new Map(looks);
  const ended = describeWhenIdle();
  const begun = [...looks].filter(([name, times]) => times !== before.get(name));
  expect(begun.length).toBe(1);
  await ended;
  const prepared = new Map(looks);
  for (const [name, times] of prepared) expect(times, name).toBeGreaterThan(before.get(name) as number);
  const document = app.swagger() as { paths: Record<string, { get: { operationId: string } }> };
  expect(Object.values(document.paths).map(({ get }) => get.operationId)).toEqual([...looks.keys()]);
  expect(looks, 'no schema is converted again').toEqual(prepared);
  await app.close();
});

it('is the same for who asks sooner', async () => {
  const [early, late] = [await described(), await described()];
  const asked = early.app.swagger();
  await late.describeWhenIdle();
  expect(late.app.swagger()).toEqual(asked);
  await early.describeWhenIdle();
  expect(early.app.swagger()).toEqual(asked);
  await Promise.all([early.app.close(), late.app.close()]);
});
