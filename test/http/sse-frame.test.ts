import { describe, expect, it } from 'vitest';
import { controlFrame, eventFrame, toPayload } from '../../src/http/sse/frame.ts';

describe('frames', () => {
  it.each(['a\nb', 'a\rb', 'a\r\nid: 1', ''])('refuses %j as the name of an event', (name) => {
    expect(() => controlFrame(name as never, {})).toThrow(TypeError);
  });

  it('writes id, event and data, each on one line', () => {
    const data = { pipelineId: 'p', change: 'a\nb', state: 'running', stage: null, timestamp: 't' };
    expect(eventFrame('e1', { seq: 7, type: 'pipeline', data })).toBe(`id: e1-7\nevent: pipeline\ndata: ${JSON.stringify(data)}\n\n`);
  });

  it('writes null for what JSON has no word for', () => {
    expect(controlFrame('bye', undefined)).toBe('event: bye\ndata: null\n\n');
  });
});

describe('payloads', () => {
  it('put texts and payloads together, and count bytes, not characters', () => {
    const payload = toPayload(['é', toPayload(['😀'])]);
    expect(payload.chunk.toString()).toBe('6\r\né😀\r\n');
    expect(payload.body.toString()).toBe('é😀');
  });

  it('are never empty: an empty chunk would end the response', () => {
    expect(() => toPayload([''])).toThrow(TypeError);
  });
});
