// The search of the site calls `score` for each place that it found (html_search_scorer of conf.py).

// Most who search use Kioku, then run it; few look for why it is built as it is. 20 is more than a
// heading of another page brings, which is 15; a word in the text brings 5.
const WEIGHTS = [
  [/^docs\/(people|controls)/, 4],
  [/^docs\/how-to\//, 2],
  [/^(CHANGELOG|CONTRIBUTING|docs\/decisions\/)/, 0.25],
];

var Scorer = {
  score: ([page, , , , score]) => score * (WEIGHTS.find(([pages]) => pages.test(page))?.[1] ?? 1),

  // What follows are the defaults of Sphinx.
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
