/** Answers and references that both modes of the MATH grader judge alike. */

export const meanTheSame: [answer: string, reference: string][] = [
  ["\\frac12", "\\frac{1}{2}"],
  ["\\frac{900}7", "\\frac{900}{7}"],
  [".4", "0.4"],
  ["\\sqrt8", "2\\sqrt2"],
  ["10,\\!080", "10080"],
  ["10,080", "10080"],
  ["\\$32,\\!348", "32348"],
  ["864 \\mbox{ inches}^2", "864"],
  ["90^\\circ", "90"],
  ["7 3/4", "31/4"],
  ["\\text{Evelyn}", "evelyn"],
  ["x=5", "5"],
  ["(3,\\frac\\pi2)", "\\left( 3, \\frac{\\pi}{2} \\right)"],
];

export const meanOthers: [answer: string, reference: string][] = [
  ["(1,2)", "(2,1)"],
  ["[0,1)", "(0,1)"],
  ["[0,9)", "(0,9)"],
  ["2x+z=1", "1"],
  ["x+2n+1", "x+1"],
  ["\\frac{1+\\sqrt5}{2}", "2"],
  ["(1,234)", "1234"],
  ["43", "42"],
  ["", "0"],
];
