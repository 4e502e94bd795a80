/**
 * A report as one HTML file that needs nothing else: no network, no library, no font.
 *
 * Owns: the page's making: figures drawn, data tabled and attached, the policy that lets the browser load nothing.
 * Must not know: where the numbers come from.
 */
import { createHash } from "node:crypto";
import { Eta } from "eta";
import { ThinkTreeError } from "../errors.js";
import type { Figure, Finding, Point, Report, Section, Verdict } from "./data.js";
import { drawFigure } from "./figures.js";
import { compact, percent, ratio } from "./numbers.js";
import { pageStyle } from "./page-style.js";
import { pageTemplate } from "./page-template.js";
import { styleMethods } from "./palette.js";
import { treePicture } from "./tree-picture.js";
import { treeScript } from "./tree-script.js";

const eta = new Eta({ autoEscape: true });

/**
 * @returns A whole HTML document. Every text of the report is escaped; the browser is told to run the viewer's script and
 *   nothing else, and to load nothing.
 * @throws {ThinkTreeError} INVALID_OPTION: a point that cannot be drawn, or an id that is malformed or used twice.
 */
export function renderReport(report: Report): string {
  checkIds(report.sections);
  const styles = styleMethods(report.sections.flatMap(({ figures }) => figures));
  let number = 0;
  return eta.renderString(pageTemplate, {
    ...report,
    ...{ style: pageStyle, script: treeScript, policy: policyFor(treeScript) },
    tally: tallyOf(report.findings),
    findings: report.findings.map((finding) => ({ ...finding, className: classOf(finding.verdict) })),
    sections: report.sections.map((section) => ({
      ...section,
      figures: section.figures.map((figure) => {
        const picture = drawFigure(figure, styles);
        return {
          ...figure,
          number: ++number,
          picture: picture.html,
          width: picture.width,
          ...tableOf(figure),
          download: dataLink(figure),
        };
      }),
      trees: section.trees.map((tree) => ({
        ...tree,
        number: ++number,
        picture: treePicture(tree),
        download: dataLink(tree),
      })),
    })),
  });
}

/** A figure's data as rows of text. */
function tableOf(figure: Figure): { columns: string[]; rows: string[][] } {
  const write = figure.kind === "ratio" ? ratio : compact;
  const cells = ({ x, y, low, high }: Point) => [write(x), percent(y), `[${percent(low)}, ${percent(high)}]`];
  const many = figure.panels.length > 1;
  const rows = figure.panels.flatMap((panel) =>
    panel.series.flatMap(({ name, points }) =>
      points.map((point) => [...(many ? [panel.name] : []), name, ...cells(point)]),
    ),
  );
  const stars = figure.kind === "flops" ? figure.stars : [];
  const starRows = stars.map((star) => [
    ...(many ? [star.panel] : []),
    `${star.series}, larger model at ${star.label}`,
    ...cells(star),
  ]);
  const columns = [...(many ? ["Panel"] : []), "Series", figure.x, "Accuracy (%)", "95% interval"];
  return { columns, rows: [...rows, ...starRows] };
}

function tallyOf(findings: readonly Finding[]) {
  const verdicts: readonly Verdict[] = ["reproduced", "not reproduced", "unclear here"];
  return verdicts.map((verdict) => ({
    ...{ verdict, className: classOf(verdict) },
    count: findings.filter((finding) => finding.verdict === verdict).length,
  }));
}

function classOf(verdict: Verdict): string {
  return verdict.replaceAll(" ", "-");
}

function dataLink(data: object): string {
  return `data:application/json;base64,${Buffer.from(JSON.stringify(data, null, 1)).toString("base64")}`;
}

/** Nothing is fetched, and no script runs but this one, whatever a step's text may hold. */
function policyFor(script: string): string {
  const hash = createHash("sha256").update(script).digest("base64");
  return `default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'`;
}

function checkIds(sections: readonly Section[]): void {
  const seen = new Set(["findings"]);
  for (const { id } of sections.flatMap((section) => [section, ...section.figures, ...section.trees])) {
    if (!/^[a-z0-9-]+$/i.test(id)) throw new ThinkTreeError("INVALID_OPTION", `id ${id}: use letters, digits, dashes`);
    if (seen.has(id)) throw new ThinkTreeError("INVALID_OPTION", `id ${id} is used twice in one report: rename one`);
    seen.add(id);
  }
}
