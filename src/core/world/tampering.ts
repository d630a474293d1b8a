import type { ClockReading, Estimate, History, Predictor, PredictorSelector } from '../contracts/index.js';
import { isPromise } from './scheduler.js';

type Change = (answer: Estimate | undefined) => Estimate | undefined;

/** What faults do to predictors: every predictor of a simulated run with faults is made through this. */
export class Tampering {
  private readonly changes: { readonly selector: PredictorSelector; readonly change: Change }[] = [];

  add(selector: PredictorSelector, change: Change): () => void {
    const entry = { selector, change };
    this.changes.push(entry);
    return () => {
      const index = this.changes.indexOf(entry);
      if (index >= 0) this.changes.splice(index, 1);
    };
  }

  /** The predictor `use` that stands at `part` (`pipelines/NAME/predictor`, or deeper), open to changes. */
  open(predictor: Predictor, use: string, part: string): Predictor {
    const [, pipeline, ...inner] = part.split('/');
    const own = inner.length === 1;
    const change = (answer: Estimate | undefined): Estimate | undefined => {
      let changed = answer;
      for (const { selector, change } of this.changes) {
        if (selector.pipelines !== undefined && !selector.pipelines.includes(pipeline!)) continue;
        if (selector.predictor === undefined ? own : selector.predictor === use) changed = change(changed);
      }
      return changed;
    };
    return {
      predict: (history: History, at: ClockReading) => {
        const answer = predictor.predict(history, at);
        if (this.changes.length === 0) return answer;
        return isPromise(answer) ? answer.then(change) : change(answer);
      },
      ...(predictor.revised && { revised: predictor.revised }),
      ...(predictor.load && { load: () => predictor.load!() }),
      ...(predictor.leap && { leap: (by: number) => predictor.leap!(by) }),
    };
  }
}
