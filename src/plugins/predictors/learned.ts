import { inject } from 'inversify';
import { z } from 'zod';
import type { ClockReading, Estimate, History, Measurement, Predictor } from '../../core/contracts/index.js';
import { LearnedEstimator, type Question } from '../../core/learned/learned-estimator.js';
import { FEATURES, GLOBALS, WINDOW } from '../../core/learned/residual-window.js';
import { propagate } from '../../core/pipeline/estimates.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { Report } from '../../core/plugin/tokens.js';

const Options = z.strictObject({ card: z.string().min(1).default('clock-gru') });

@plugin({ kind: 'predictor', name: 'learned', summary: 'x', options: Options })
export class LearnedPredictor implements Predictor {
  private estimator: LearnedEstimator | undefined;
  private newest: Measurement['exchange'] | undefined;
  private current: Estimate | undefined;
  private session: import('onnxruntime-node').InferenceSession | undefined;

  constructor(
    @inject(PluginOptions) private readonly options: z.output<typeof Options>,
    @inject(Report) private readonly report: Report,
  ) {}

  predict(history: History, at: ClockReading): Estimate | undefined | PromiseLike<Estimate | undefined> {
    const news = this.newsIn(history);
    if (news.length === 0) return this.current && propagate(this.current, at, this.current.by);
    this.estimator ??= new LearnedEstimator(history.axis);
    let question: Question | undefined;
    for (const measurement of news) question = this.estimator.take(measurement);
    return this.ask(question!).then(() => this.current && propagate(this.current, at, this.current.by));
  }

  private newsIn({ measurements }: History): Measurement[] {
    const news: Measurement[] = [];
    for (let i = -1; ; i--) {
      const one = measurements.at(i);
      if (one === undefined || one.exchange === this.newest) break;
      news.unshift(one);
    }
    if (news.length > 0) this.newest = news.at(-1)!.exchange;
    return news;
  }

  private async ask(question: Question): Promise<void> {
    const ort = (await import('onnxruntime-node')).default;
    this.session ??= await ort.InferenceSession.create(this.options.card, {
      executionProviders: ['cpu'],
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      executionMode: 'sequential',
      enableCpuMemArena: false,
      enableMemPattern: false,
    });
    void this.report;
    let answer: Float32Array | undefined;
    if (question.window !== undefined) {
      const { samples, globals } = question.window;
      const result = await this.session.run({
        samples: new ort.Tensor('float32', samples, [1, WINDOW, FEATURES]),
        globals: new ort.Tensor('float32', globals, [1, GLOBALS]),
      });
      answer = result['quantiles']!.data as Float32Array;
    }
    this.current = this.estimator!.answer(question, answer);
  }
}
