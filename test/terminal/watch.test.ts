/** The displays: as pure functions, as lines in a pipe, and on a terminal that python3 makes. */
import { describe, expect, it, onTestFinished } from 'vitest';
import { createFrame } from '../../src/terminal/frame.ts';
import { create, definition, startService } from '../http/app-harness.ts';
import { sluice } from './sluice-process.ts';
import { describeTerminal, onTerminal, screenOf } from './terminal-of-python.ts';

async function serviceWith(task: string) {
  const service = await startService();
  onTestFinished(() => service[Symbol.asyncDispose]());
  const url = await service.app.listen({ port: 0, host: '127.0.0.1' });
  await create(service, definition('p', task));
  return { service, url, env: { SLUICE_URL: url, TERM: 'xterm', LANG: 'C.UTF-8' } };
}

describe('a frame', () => {
  function recorded(columns = 40, rows = 10) {
    const writes: string[] = [];
    const screen = { isTerminal: true, columns, rows, write: (text: string) => void writes.push(text), onResize: () => () => undefined };
    return { writes, screen };
  }

  it('is one write each, of the lines that differ', () => {
    const { writes, screen } = recorded();
    const frame = createFrame(screen, { isWhole: false });
    frame.draw(['head', 'one', 'two', 'three']);
    frame.draw(['head', 'one', 'TWO', 'three']);
    frame.draw(['head', 'one', 'TWO', 'three']);
    expect(writes).toHaveLength(2);
    expect(writes[1]).toContain('TWO');
    expect(writes[1]).not.toMatch(/head|one|three/);
    frame.draw(['head', 'last']);
    frame.draw(['head', 'last', 'more']);
    frame.end();
    expect(screenOf(writes.join(''))).toEqual(['head', 'last', 'more', '']);
    expect(writes.at(-1)).toBe('\u001b[?25h');
  });

  it('fits the screen, whose new shape draws all anew', () => {
    const { writes, screen } = recorded(10, 4);
    const frame = createFrame(screen, { isWhole: false });
    frame.draw(['0123456789abc', 'b', 'c', 'd', 'e']);
    expect(screenOf(writes.join(''))).toEqual(['01234567…', 'b', 'c', '']);
    screen.columns = 40;
    frame.draw(['0123456789abc', 'b', 'c', 'd', 'e']);
    expect(writes[1]).toContain('b');
  });

  it('of the whole screen gives back what was there', () => {
    const { writes, screen } = recorded();
    const frame = createFrame(screen, { isWhole: true });
    frame.draw(['a']);
    frame.end();
    expect(writes[0]?.startsWith('\u001b[?1049h')).toBe(true);
    expect(writes[1]?.endsWith('\u001b[?1049l')).toBe(true);
  });
});

describe('watch', () => {
  it('writes plain lines where stdout is no terminal, and ends when nothing is in flight', async () => {
    const { env } = await serviceWith('picky');
    await sluice(['feed', 'p', '--follow'], { env, stdin: '{"id":"a"}\n{"id":"b","value":"bad"}\n' });
    const { code, stdout, stderr } = await sluice(['watch', 'p', '--until-done'], { env });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^\S+ {2}p {2}running {2}1 processed {2}1 failed {2}0 in flight {2}\S+\n$/);
  });

  it('with --json prints each event', async () => {
    const { env } = await serviceWith('echo');
    const { stdout } = await sluice(['watch', 'p', '--json', '--until-done'], { env });
    expect(JSON.parse(stdout)).toMatchObject({ event: 'snapshot', data: { pipelineStats: { itemsInFlight: 0 } } });
  });

  it('refuses what is no display or no pipeline', async () => {
    const { env } = await serviceWith('echo');
    expect(await sluice(['watch', 'p', '-d', 'huge'], { env })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('progress, compact, detailed, full'),
    });
    expect(await sluice(['watch', 'none'], { env })).toMatchObject({ code: 1, stderr: expect.stringContaining('pipeline-not-found') });
  });

  describeTerminal('on a terminal', () => {
    it.each(['progress', 'compact', 'detailed', 'full'])('shows %s, follows what happens, and ends by Ctrl-C', async (display) => {
      const { service, env } = await serviceWith('gated');
      const watching = onTerminal(['watch', 'p', '-d', display, '--seconds', '0.1'], env);
      await watching.printed('0 in flight');
      await sluice(['feed', 'p'], { env, stdin: '{"id":"a"}\n{"id":"b"}\n' });
      await watching.printed('2 in flight');
      await service.held(1);
      service.gate.open();
      await watching.printed('1 processed');
      watching.child.stdin?.write('\u0003');
      const { code, stdout } = await watching.ended;
      expect(code).toBe(130);
      expect(stdout.startsWith('\u001b[?1049h')).toBe(display === 'full');
      // The cursor is back, and so is what was on the screen.
      expect(stdout).toContain('\u001b[?25h');
      expect(stdout.includes('\u001b[?1049l')).toBe(display === 'full');
      const shown = screenOf(stdout.split('\u001b[?1049l')[0] as string).join('\n');
      expect(shown).toContain('1 processed');
      if (display !== 'progress') expect(shown).toContain('Only');
      if (display === 'full') expect(shown).toMatch(/Only-W0 +busy/);
    });

    it.each([
      ['draws in colours', [], {}, true],
      ['draws without colours with NO_COLOR', [], { NO_COLOR: '1' }, false],
      ['draws without colours with --no-color', ['--no-color'], {}, false],
    ] as const)('%s', async (_, args, given, isColored) => {
      const { env } = await serviceWith('echo');
      const { stdout } = await onTerminal(['watch', 'p', '--until-done', ...args], { ...env, ...given }).ended;
      expect(stdout).toContain('0 in flight');
      expect(stdout.includes('\u001b[32mrunning')).toBe(isColored);
    });

    it('goes on when the connection breaks', async () => {
      const { service, env } = await serviceWith('echo');
      const watching = onTerminal(['watch', 'p', '-d', 'progress', '--seconds', '0.1'], env);
      await watching.printed('0 in flight');
      service.app.server.closeAllConnections();
      await watching.printed('reconnecting');
      await sluice(['feed', 'p', '--follow'], { env, stdin: '1\n' });
      await watching.printed('1 processed');
      watching.child.stdin?.write('\u0003');
      expect((await watching.ended).code).toBe(130);
    });
  });
});
