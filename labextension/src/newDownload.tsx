/** *New download…*: addresses, where to, and when. What was typed stays until it is taken. */

import { Dialog, ReactWidget, showDialog } from '@jupyterlab/apputils';
import * as React from 'react';

import { IHost } from './host';
import { IOrder, linesOf, specsOf } from './order';

const SESSION = 'downloads';

/** Ask for an order, until it is taken or given up. Resolves to whether it was taken. */
export async function newDownload(host: IHost, given: Partial<IOrder>): Promise<boolean> {
  const { trans } = host.words;
  let order: IOrder = {
    urls: '',
    folder: '',
    checksum: '',
    begin: '',
    session: SESSION,
    ...given
  };
  let fault = '';
  for (;;) {
    const answer = await showDialog({
      title: trans.__('New download'),
      body: new OrderForm(host, order, fault),
      buttons: [
        Dialog.cancelButton({ label: trans.__('Cancel') }),
        Dialog.okButton({ label: trans.__('Download') })
      ],
      focusNodeSelector: 'textarea'
    });
    if (!answer.button.accept || !answer.value) {
      return false;
    }
    order = answer.value;
    try {
      const { root } = host.store;
      if (root === null) {
        throw new Error(trans.__('Not connected to the Jupyter server.'));
      }
      await host.store.submit(order.session.trim() || SESSION, specsOf(order, root, trans));
      return true;
    } catch (error) {
      fault = error instanceof Error ? error.message : String(error);
    }
  }
}

class OrderForm extends ReactWidget implements Dialog.IBodyWidget<IOrder> {
  constructor(
    private _host: IHost,
    private _order: IOrder,
    private _fault: string
  ) {
    super();
    this.addClass('jp-bgdl');
  }

  getValue(): IOrder {
    return this._order;
  }

  protected render(): React.ReactElement {
    const { store, words } = this._host;
    const { trans } = words;
    const field = (name: keyof IOrder) => ({
      id: `jp-bgdl-order-${name}`,
      value: this._order[name],
      onChange: (event: React.ChangeEvent<HTMLInputElement | HTMLTextAreaElement>) => {
        this._order = { ...this._order, [name]: event.target.value };
        this.update();
      }
    });
    const label = (name: keyof IOrder, text: string) => (
      <label htmlFor={`jp-bgdl-order-${name}`}>{text}</label>
    );
    const many = linesOf(this._order).length > 1;
    return (
      <div className="jp-bgdl-Order">
        {label('urls', trans.__('Addresses, one a line'))}
        <textarea
          {...field('urls')}
          rows={4}
          spellCheck={false}
          placeholder="https://"
          className="jp-mod-styled"
        />
        {label('folder', trans.__('Save in'))}
        <input {...field('folder')} type="text" spellCheck={false} className="jp-mod-styled" />
        {label('checksum', trans.__('Checksum (optional)'))}
        <input
          {...field('checksum')}
          type="text"
          spellCheck={false}
          disabled={many}
          placeholder={many ? trans.__('of a single file only') : 'sha256:…'}
          className="jp-mod-styled"
        />
        {label('begin', trans.__('Not before (optional)'))}
        <input {...field('begin')} type="datetime-local" className="jp-mod-styled" />
        {label('session', trans.__('Session'))}
        <input
          {...field('session')}
          type="text"
          list="jp-bgdl-order-sessions"
          spellCheck={false}
          className="jp-mod-styled"
        />
        <datalist id="jp-bgdl-order-sessions">
          {store.sessions.map(({ identifier }) => (
            <option key={identifier} value={identifier} />
          ))}
        </datalist>
        {this._fault && (
          <p className="jp-bgdl-Order-fault" role="alert">
            {this._fault}
          </p>
        )}
      </div>
    );
  }
}
