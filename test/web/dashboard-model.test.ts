import { describe, expect, test } from 'vitest';
import type { HistoryDocument, StatusDocument } from '../../src/core/serving/documents.js';
import { DashboardModel } from '../../src/web/dashboard/model.js';

const history = (...times: number[]): HistoryDocument => ({
  capacity: 10,
  pipelines: {
    one: times.map(unix => ({ unix, offset: 0, uncertainty: 0, maxError: 0, drift: 0, driftDeviation: 0 })),
  },
  sources: { near: times.map(unix => ({ unix: unix + 0.1, offset: 0, delay: 0, used: true })) },
});
const statusOf = (started: string): StatusDocument => ({ service: { started } }) as StatusDocument;

describe('what the dashboard keeps', () => {
  test('points that come twice are kept once, in their order', () => {
    const model = new DashboardModel();
    model.add(history(1, 2, 3));
    model.add(history(2, 3, 4));
    expect(model.offsets.get('one')!.map(({ unix }) => unix)).toEqual([1, 2, 3, 4]);
    expect(model.newest).toBe(4.1);
  });

  test('lines go on over a restart of the service, which is noted', () => {
    const model = new DashboardModel();
    expect(model.newest).toBeUndefined();
    expect(model.take(statusOf('2026-11-25T00:00:00.000000000Z'))).toBe(false);
    model.add(history(1, 2));
    expect(model.take(statusOf('2026-11-25T00:00:00.000000000Z'))).toBe(false);
    expect(model.take(statusOf('2026-11-25T00:10:00.000000000Z'))).toBe(true);
    model.add(history(600));
    expect(model.offsets.get('one')!.map(({ unix }) => unix)).toEqual([1, 2, 600]);
    expect(model.restarts).toEqual([Date.parse('2026-11-25T00:10:00Z') / 1000]);
  });
});
