import { join } from 'node:path';
import { Resvg } from '@resvg/resvg-js';
import { packageRoot } from './pipelines.js';

/** Pixels of a picture for one of the SVG's. */
const ZOOM = 2;

/** An SVG as a PNG. Letters come from the font that is shipped: a machine may have none. */
export function pngOf(svg: string): Buffer {
  const font = join(packageRoot(), 'dist', 'web');
  return new Resvg(svg, {
    fitTo: { mode: 'zoom', value: ZOOM },
    font: {
      loadSystemFonts: false,
      fontFiles: [join(font, 'DejaVuSans.ttf'), join(font, 'DejaVuSans-Bold.ttf')],
      defaultFontFamily: 'DejaVu Sans',
    },
  })
    .render()
    .asPng();
}
