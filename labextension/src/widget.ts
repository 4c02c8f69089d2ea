/** The ipywidget's side in the browser: the same view, for composing in boxes and dashboards. */

import { DOMWidgetModel, DOMWidgetView, ISerializers } from '@jupyter-widgets/base';
import { MessageLoop } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';

import { ISubject, subjectOf } from './bundle';
import { IHost } from './host';
import { TransferView } from './renderer';

export const MODULE = 'jupyter-bgdl';
export const MODULE_VERSION = '0.1.0';

export class SessionModel extends DOMWidgetModel {
  static override serializers: ISerializers = { ...DOMWidgetModel.serializers };

  override defaults(): ReturnType<DOMWidgetModel['defaults']> {
    return {
      ...super.defaults(),
      _model_name: 'SessionModel',
      _model_module: MODULE,
      _model_module_version: MODULE_VERSION,
      _view_name: 'SessionView',
      _view_module: MODULE,
      _view_module_version: MODULE_VERSION,
      session: '',
      task: null
    };
  }

  /** What the widget shows, validated as the MIME bundle is. */
  get subject(): ISubject | null {
    const { session, task } = this.attributes as { session: unknown; task: unknown };
    return subjectOf({ version: 1, session, task });
  }
}

/** The view class, bound to this page's store. */
export function sessionView(host: IHost): typeof DOMWidgetView {
  return class SessionView extends DOMWidgetView {
    override render(): void {
      super.render();
      this._view = new TransferView(host, (this.model as SessionModel).subject);
      this.listenTo(this.model, 'change:session change:task', () => {
        if (this._view) {
          this._view.subject = (this.model as SessionModel).subject;
        }
      });
      void this.displayed.then(() => {
        if (this._view && this.el.isConnected) {
          Widget.attach(this._view, this.el);
          MessageLoop.sendMessage(this._view, Widget.Msg.AfterShow);
        }
      });
    }

    override remove(): void {
      this._view?.dispose();
      this._view = null;
      super.remove();
    }

    private _view: TransferView | null = null;
  };
}
