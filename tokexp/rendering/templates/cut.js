// Cuts what a reader types as the tokenizers of a report do, and shows the pieces on top of one another.
// `encoders` are the kinds of `tokexp/tokenizer/`, each made from what its tokenizer.json has; a test holds their ids
// and spans to Python's. What is typed reaches the page through textContent, and leaves it in no way.
"use strict";
const encoders = (() => {
  const UNK = 1;
  const FIRST = 4; // the id after the specials
  // White space as Unicode has it, and as Python's `re` has it, which adds four separators. JavaScript's \s is neither.
  const S = "\\p{White_Space}";
  const S_OF_RE = "\\p{White_Space}\\x1c-\\x1f";
  const matcher = (pattern) => {
    const expression = new RegExp(pattern, "gu");
    return (text) => [...text.matchAll(expression)];
  };
  // The patterns of split.py, without possessive quantifiers, which save time alone; \u017f is an s in another case.
  const PATTERNS = {
    gpt2: matcher(`'(?:[sdmt]|ll|ve|re)| ?\\p{L}+| ?\\p{N}+| ?[^${S}\\p{L}\\p{N}]+|[${S}]+(?![^${S}])|[${S}]+`),
    gpt4: matcher(
      "'(?:[sdmtSDMT\\u017f]|[lL][lL]|[vV][eE]|[rR][eE])|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}" +
      `| ?[^${S}\\p{L}\\p{N}]+[\\r\\n]*|[${S}]+$|[${S}]*[\\r\\n]|[${S}]+(?![^${S}])|[${S}]`,
    ),
    none: matcher("[^]+"),
  };
  const WORD = matcher(`[\\p{L}\\p{N}_]+|[^\\p{L}\\p{N}_${S_OF_RE}]|\\n`); // of word.py
  const WORD_OR_NEWLINE = matcher(`[^${S_OF_RE}]+|\\n`); // of bpe_classic.py
  const PRETOKEN = matcher(` ?\\p{L}[\\p{L}\\p{M}]*| ?\\p{N}+| ?[^${S}\\p{L}\\p{N}]+|[${S}]`); // of bpe_fallback.py

  const utf8 = new TextEncoder();
  const size = (text) => utf8.encode(text).length;
  const numbered = (pieces, first) => new Map(pieces.map((piece, i) => [piece, first + i]));
  const spelled = (text) => Array.from(utf8.encode(text), (byte) => [FIRST + byte, 1]);

  // Tokens whose text ends at `ends`: each has what lies between it and the one before, the last the rest.
  const tokensOfEnds = (text, ids, ends) =>
    ids.map((id, i) => [id, size(text.slice(i ? ends[i - 1] : 0, i < ids.length - 1 ? ends[i] : text.length))]);

  // Cuts characters into stretches that the alphabet has, and ones that it lacks.
  const stretches = (chars, known) => {
    const cut = [];
    for (const char of chars) {
      if (cut.length && cut.at(-1).known === known.has(char)) cut.at(-1).chars.push(char);
      else cut.push({ known: known.has(char), chars: [char] });
    }
    return cut;
  };

  // Merges as they were learned: pairs of symbols end to end. A symbol that two pairs write is one symbol.
  const merger = (merges, first, alphabet) => {
    const written = [...alphabet];
    const symbolOf = numbered(written, 0);
    const key = (left, right) => left * 2 ** 21 + right;
    const pairs = [];
    const rankOf = new Map();
    for (let i = 0; i < merges.length; i += 2) {
      const [left, right] = [merges[i] - first, merges[i + 1] - first];
      const piece = written[left] + written[right];
      if (!symbolOf.has(piece)) {
        symbolOf.set(piece, written.length);
        written.push(piece);
      }
      rankOf.set(key(left, right), pairs.length);
      pairs.push([left, right, symbolOf.get(piece)]);
    }
    // Joins the pair that was learned first wherever it stands, from left to right, until there is none.
    const merge = (symbols) => {
      for (;;) {
        let rank = Infinity;
        for (let i = 1; i < symbols.length; i += 1) {
          rank = Math.min(rank, rankOf.get(key(symbols[i - 1], symbols[i])) ?? Infinity);
        }
        if (rank === Infinity) return symbols;
        const [left, right, joined] = pairs[rank];
        const shorter = [];
        for (let i = 0; i < symbols.length; i += 1) {
          const here = symbols[i] === left && symbols[i + 1] === right;
          shorter.push(here ? joined : symbols[i]);
          if (here) i += 1;
        }
        symbols = shorter;
      }
    };
    return { written, symbolOf, merge };
  };

  // The bytes in the order in which GPT-2 numbers them, those that are printable in Latin-1 first.
  const printable = (byte) => (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
  const BYTES = Array.from({ length: 256 }, (_, byte) => byte);
  const BYTE_ORDER = [...BYTES.filter(printable), ...BYTES.filter((byte) => !printable(byte))];

  // Lower case, character by character where that changes their number.
  const fold = (word) => {
    const [lower, chars] = [word.toLowerCase(), [...word]];
    if ([...lower].length === chars.length) return lower;
    return chars.map((char) => ([...char.toLowerCase()].length === 1 ? char.toLowerCase() : char)).join("");
  };

  // By kind: from a tokenizer's settings to a function from a text to its tokens, [id, bytes of the text] each.
  return {
    byte: () => spelled,

    char: ({ alphabet, byte_fallback: fallback }) => {
      const idOf = numbered([...alphabet], FIRST + (fallback ? 256 : 0));
      const other = fallback ? spelled : (char) => [[UNK, size(char)]];
      return (text) => [...text].flatMap((char) => (idOf.has(char) ? [[idOf.get(char), size(char)]] : other(char)));
    },

    word: ({ words }) => {
      const idOf = numbered(words, FIRST);
      return (text) => {
        const found = WORD(text);
        const ids = found.map(([word]) => idOf.get(fold(word)) ?? UNK);
        return tokensOfEnds(text, ids, found.map((match) => match.index + match[0].length));
      };
    },

    word_cased: ({ words }) => {
      const idOf = numbered(words, FIRST + 256);
      return (text) =>
        PATTERNS.gpt2(text).flatMap(([word]) => (idOf.has(word) ? [[idOf.get(word), size(word)]] : spelled(word)));
    },

    bpe: ({ merges, pattern }) => {
      const { written, merge } = merger(merges, FIRST, BYTE_ORDER.map((byte) => String.fromCharCode(byte)));
      const symbolOfByte = BYTES.map((byte) => BYTE_ORDER.indexOf(byte));
      return (text) =>
        PATTERNS[pattern](text).flatMap(([pretoken]) =>
          merge(Array.from(utf8.encode(pretoken), (byte) => symbolOfByte[byte])).map((s) => [FIRST + s, written[s].length]),
        );
    },

    bpe_fallback: ({ alphabet, merges }) => {
      const first = FIRST + 256;
      const { written, symbolOf, merge } = merger(merges, first, [...alphabet]);
      const known = new Set(alphabet);
      const tokens = ({ known: whole, chars }) => {
        if (!whole) return spelled(chars.join(""));
        return merge(chars.map((char) => symbolOf.get(char))).map((s) => [first + s, size(written[s])]);
      };
      return (text) => PRETOKEN(text).flatMap(([pretoken]) => stretches(pretoken, known).flatMap(tokens));
    },

    // The pieces whose scores have the highest sum, in the 32 bits in which SentencePiece adds; bytes where there are none.
    sp_unigram: ({ pieces, scores, first_byte: firstByte }) => {
      const SPACE = "\u2581"; // as the pieces write a blank; Python spells one that is in the text itself in bytes
      const idOf = new Map(pieces.flatMap((piece, id) => (piece ? [[piece, id]] : [])));
      const normal = scores.filter((_, id) => pieces[id] && pieces[id] !== "\n").map(Math.fround);
      const [least, most] = [Math.min(...normal), Math.max(...normal)];
      const scoreOf = (piece) => (piece === "\n" ? most - 0.1 : Math.fround(scores[idOf.get(piece)]));
      const longest = Math.max(...pieces.map((piece) => [...piece].length));
      const bytes = (text) => Array.from(utf8.encode(text), (byte) => [firstByte + byte, 1]);
      const best = (text) => {
        const chars = [...text.replaceAll(" ", SPACE)];
        const ways = [{ score: 0 }]; // by where they end
        for (let start = 0; start < chars.length; start += 1) {
          const reach = (piece, score, end) => {
            const sum = Math.fround(score + ways[start].score);
            if (!ways[end] || sum > ways[end].score) ways[end] = { piece, start, score: sum };
          };
          for (let end = start + 1; end <= Math.min(start + longest, chars.length); end += 1) {
            const piece = chars.slice(start, end).join("");
            if (idOf.has(piece)) reach(piece, scoreOf(piece), end);
          }
          if (!idOf.has(chars[start])) reach(chars[start], Math.fround(least - 10), start + 1);
        }
        const cut = [];
        for (let end = chars.length; end; end = ways[end].start) cut.unshift(ways[end].piece);
        return cut;
      };
      const tokens = (piece) => {
        const text = piece.replaceAll(SPACE, " ");
        return idOf.has(piece) ? [[idOf.get(piece), size(text)]] : bytes(text);
      };
      return (text) =>
        text.split(/([\0\u2581])/).flatMap((part, i) => (i % 2 ? bytes(part) : best(part).flatMap(tokens)));
    },

    bpe_classic: ({ inner, final, merges }) => {
      const END = "\v"; // marks a piece that ends a word
      const alphabet = [...inner, ...[...final].map((char) => char + END)];
      const { written, symbolOf, merge } = merger(merges, FIRST, alphabet);
      const known = new Set(alphabet);
      const lengthOf = (piece) => piece.replace(END, "").length;
      const tokens = ({ known: whole, chars }) => {
        if (!whole) return chars.map((char) => [UNK, lengthOf(char)]);
        return merge(chars.map((char) => symbolOf.get(char))).map((s) => [FIRST + s, lengthOf(written[s])]);
      };
      return (text) => {
        const [ids, ends] = [[], []];
        for (const match of WORD_OR_NEWLINE(text)) {
          const chars = [...match[0]];
          chars.push(chars.pop() + END);
          let end = match.index;
          for (const [id, length] of stretches(chars, known).flatMap(tokens)) {
            ids.push(id);
            ends.push((end += length));
          }
        }
        return tokensOfEnds(text, ids, ends);
      };
    },
  };
})();

if (globalThis.document) {
  const utf8 = new TextEncoder();
  const SIGNS = { "\n": "⏎", "\t": "⇥", "\r": "␍", "\x7f": "␡" }; // and those that Unicode has for control characters
  const visible = (text) =>
    text.replace(/[\x00-\x1f\x7f]/g, (char) => SIGNS[char] ?? String.fromCharCode(0x2400 + char.charCodeAt(0)));

  // What is drawn of each token: a character belongs to the piece in which it begins, and a piece may be but its rest.
  const pieces = (text, tokens) => {
    const chars = [...text];
    let [drawn, reached, end] = [0, 0, 0]; // characters and bytes that are drawn, bytes of the tokens
    return tokens.flatMap(([id, bytes], n) => {
      const from = drawn;
      for (end += bytes; reached < end; drawn += 1) reached += utf8.encode(chars[drawn]).length;
      const names = [`p${n % 4}`, ...(reached > end ? ["torn"] : []), ...(id === 1 ? ["unknown"] : [])];
      const piece = document.createElement("b");
      piece.className = names.join(" ");
      piece.textContent = visible(chars.slice(from, drawn).join(""));
      return drawn > from ? [piece] : [];
    });
  };

  for (const section of document.querySelectorAll(".cutter")) {
    const tokenizers = JSON.parse(section.querySelector("script").textContent);
    const encode = tokenizers.map((tokenizer) => encoders[tokenizer.kind](tokenizer));
    const rows = [...section.querySelectorAll("tbody tr")];
    const box = section.querySelector("textarea");
    const cut = () => {
      const text = box.value.toWellFormed?.() ?? box.value; // half a pair of surrogates has no bytes
      rows.forEach((row, i) => {
        const tokens = encode[i](text);
        row.cells[1].textContent = tokens.length.toLocaleString("en");
        row.cells[2].replaceChildren(...pieces(text, tokens));
      });
    };
    box.addEventListener("input", cut);
    cut();
  }
}
