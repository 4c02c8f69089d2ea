/**
 * The output view. It renders in notebooks that nobody trusted, so it believes nothing of the
 * bundle but a validated identifier, and acts on clicks only.
 */

import { ReactWidget } from '@jupyterlab/ui-components';
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import type { PartialJSONObject } from '@lumino/coreutils';
import * as React from 'react';

import { finalSession, finalTask, IFinalState, ISubject, subjectOf } from './bundle';
import { SessionOutput } from './components/SessionOutput';
import { TaskOutput } from './components/TaskOutput';
import { HostProvider, IHost } from './host';
import { MIME_TYPE } from './wire';
import { compareTasks } from './words';

/** A session's or a task's view, for outputs and widgets alike. */
export class TransferView extends ReactWidget {
  constructor(
    private _host: IHost,
    private _subject: ISubject | null = null
  ) {
    super();
    this.addClass('jp-bgdl');
  }

  get subject(): ISubject | null {
    return this._subject;
  }

  set subject(subject: ISubject | null) {
    this._subject = subject;
    this.update();
  }

  protected render(): React.ReactElement | null {
    const subject = this._subject;
    if (!subject) {
      return <p>{this._host.words.trans.__('This output names no transfer session.')}</p>;
    }
    const { session, task } = subject;
    return (
      <HostProvider value={this._host}>
        {task === null ? (
          <SessionOutput key={session} identifier={session} />
        ) : (
          <TaskOutput key={`${session}/${task}`} identifier={session} number={task} />
        )}
      </HostProvider>
    );
  }
}

/** The MIME renderer: a view that writes the final state into its bundle. */
export class OutputRenderer extends TransferView implements IRenderMime.IRenderer {
  constructor(private _rendering: IHost) {
    super(_rendering);
    this._stop = _rendering.store.subscribe(change => {
      if (change.session === null || change.session === this.subject?.session) {
        this._save();
      }
    });
  }

  renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    this._model = model;
    const subject = subjectOf(model.data[MIME_TYPE]);
    const old = this.subject;
    if (!old || subject?.session !== old.session || subject?.task !== old.task) {
      this.subject = subject;
    }
    // Not now: whoever renders must not see the model change under its hands.
    return Promise.resolve().then(() => this._save());
  }

  override dispose(): void {
    this._stop();
    this._model = null;
    super.dispose();
  }

  /** Write what is final, once: nobody wants a notebook that changes by being looked at. */
  private _save(): void {
    const model = this._model;
    const state = this._finalState();
    if (!model || !state || !this._rendering.store.follows(this.subject!.session)) {
      return;
    }
    if (model.data['text/html'] === state.html && model.data['text/plain'] === state.text) {
      return;
    }
    const data: PartialJSONObject = {
      ...(model.data as PartialJSONObject),
      'text/html': state.html,
      'text/plain': state.text
    };
    model.setData({ data });
  }

  private _finalState(): IFinalState | null {
    const { store, words } = this._rendering;
    const subject = this.subject;
    if (!subject) {
      return null;
    }
    if (subject.task !== null) {
      const task = store.task(subject.session, subject.task);
      return task ? finalTask(task, words) : null;
    }
    const session = store.session(subject.session);
    if (!session) {
      return null;
    }
    const tasks = Array.from(store.tasks(subject.session).values()).sort(compareTasks);
    return finalSession(session, tasks, words);
  }

  private _model: IRenderMime.IMimeModel | null = null;
  private _stop: () => void;
}
