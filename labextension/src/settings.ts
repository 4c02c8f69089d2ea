/** What a person switched on or off in the Settings editor; `schema/around.json` describes it. */

import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ISignal, Signal } from '@lumino/signaling';

/** The switches, with the values that they have until the person's are known. */
const DEFAULTS = {
  statusBar: true,
  notifyDone: true,
  notifyFailed: true,
  notifyProgress: false
};

export type Switch = keyof typeof DEFAULTS;

export class Settings {
  /** Without a registry nothing can be switched. */
  constructor(registry: ISettingRegistry | null, plugin: string) {
    registry
      ?.load(plugin)
      .then(loaded => {
        this._take(loaded);
        loaded.changed.connect(() => this._take(loaded));
      })
      .catch(reason => console.warn(`jupyter-bgdl: no settings of ${plugin}`, reason));
  }

  get changed(): ISignal<Settings, void> {
    return this._changed;
  }

  isOn(name: Switch): boolean {
    return this._values[name];
  }

  private _take(loaded: ISettingRegistry.ISettings): void {
    for (const name of Object.keys(DEFAULTS) as Switch[]) {
      this._values[name] = loaded.composite[name] === true;
    }
    this._changed.emit();
  }

  private _values = { ...DEFAULTS };
  private _changed = new Signal<Settings, void>(this);
}
