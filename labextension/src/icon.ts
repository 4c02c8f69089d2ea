/** Icons as JupyterLab wants them. */

import { LabIcon } from '@jupyterlab/ui-components';

export const downloadIcon = new LabIcon({
  name: 'jupyter-bgdl:download',
  svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16" viewBox="0 0 16 16">
  <path class="jp-icon3 jp-icon-selectable" fill="#616161" d="M7.25 2h1.5v6.4l2.2-2.2 1.05 1.05L8 11.25 4 7.25 5.05 6.2l2.2 2.2zM3 12.75h10v1.5H3z"/>
</svg>`
});

export const pauseIcon = new LabIcon({
  name: 'jupyter-bgdl:pause',
  svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16" viewBox="0 0 16 16">
  <path class="jp-icon3 jp-icon-selectable" fill="#616161" d="M4.2 3h2.5v10H4.2zM9.3 3h2.5v10H9.3z"/>
</svg>`
});
