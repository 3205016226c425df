/** Paths are given to PHP without a look whether there is such a file. */
import { has, headerOfLevel, labelOf, named, placeOf, placeOfLevel } from "../nginx/site.ts";
import { absenceRule } from "../nginx/site-rule.ts";

export const nginxPhpUntested = absenceRule(
  "nginx-php-untested",
  "Every path that ends like a script is given to PHP, also one that leads through an uploaded file.",
  ({ levels }) =>
    levels.flatMap((level) => {
      const [pass] = named(level, "fastcgi_pass");
      const header = headerOfLevel(level);
      if (pass === undefined || header?.kind !== "regex" || !/php/.test(header.name)) return [];
      // An expression for one script knows that it is there.
      if (has(level, "try_files", "if") || /^\^?\/\w+\\\.php/.test(header.name)) return [];
      return [
        {
          severity: "info" as const,
          title: `${labelOf(level)} does not look whether the script exists`,
          why: "With PHP's cgi.fix_pathinfo (on by default) /uploads/photo.jpg/x.php runs photo.jpg. PHP-FPM's security.limit_extensions prevents that, if nobody has emptied it.",
          fix: "try_files $uri =404; in the location",
          places: [placeOfLevel(level), placeOf(pass)],
        },
      ];
    }),
);
