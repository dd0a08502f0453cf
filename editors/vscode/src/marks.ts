// Characters that hide, or turn the direction of what is around them: bidi controls, zero width, tags. Joiners are letters' own.

export const MARKS = /[\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\u{e0000}-\u{e007f}]/gu;
