/** Entries of logs as small boxes that hold their term: filled when decided, struck when truncated. */
import type { Box } from './lives.ts'
import { element, line, rect, text, textWidth } from './svg.ts'

export type BoxStyle = 'appended' | 'decided' | 'truncated'

const height = 15
const gap = 7

const boxWidth = (reign: string): number => Math.max(15, textWidth(reign, 10) + 7)

/** Pixels that a box takes, its position and the gap behind it included. */
export const boxRoom = ({ slot, reign }: Box): number => textWidth(String(slot), 9.5) + 3 + boxWidth(reign) + gap

/** Its position in small, then the box. @param y of its middle. */
export const box = ({ slot, reign }: Box, style: BoxStyle, x: number, y: number): string => {
  const label = String(slot)
  const left = x + textWidth(label, 9.5) + 3
  const width = boxWidth(reign)
  const filled = style === 'decided'
  return element('g', {}, [
    element('title', {}, `${style} at position ${slot}, term ${reign}`),
    text('text small faint halo', x, y + 3.5, label),
    rect(filled ? 'box decided' : style === 'truncated' ? 'box gone' : 'box', left, y - height / 2, width, height, 2),
    text(
      `text small middle${filled ? ' on-decided' : style === 'truncated' ? ' faint' : ''}`,
      left + width / 2,
      y + 3.5,
      reign,
    ),
    style === 'truncated' ? line('strike', left - 3, y + 5, left + width + 3, y - 5) : '',
  ])
}
