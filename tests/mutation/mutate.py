"""Mutation testing: changes one thing in the checker or in the bound engine, and demands that some test notices.

    python3 mutate.py SUBJECT REPOSITORY KILLERS [--sample N] [--seed S] [--jobs J] [--only TEXT] [--minutes N] [--report FILE] [--again FILE] [--quick] [--verbose]

SUBJECT is `checker` (verify/checker), `bound` (lib/bound) or `program` (axecert-check, whose killer is program.py); KILLERS a folder that tests/mutation/CMakeLists.txt fills: test programs that load the
subject as a shared library, so that a mutant is one file compiled and one library linked, put before the original by LD_PRELOAD. A mutant is
killed when a killer fails, crashes, or takes ten times as much processor time as it should; One that survives is
built again under AddressSanitizer and UndefinedBehaviorSanitizer and the quick killers are run again; if it still survives it must compile to the
very same machine code as the original (-O2), or stand in equivalent.txt with the reason why nobody can notice it.

Exit code 1: a survivor that is not explained, an entry of equivalent.txt that names no mutant, or one that was killed. --sample takes N mutants at random
(seed S) instead of all; --again FILE only those that an earlier report says survived, and keeps the rest of it. Writes only a temporary folder, and the report (JSON). Only the Python standard library, and the C or C++ compiler.
"""

import argparse
import collections
import concurrent.futures
import json
import math
import os
import pathlib
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import mutants as mutation  # noqa: E402
import program  # noqa: E402

HERE = pathlib.Path(__file__).parent

SUBJECTS = {
    "checker": {
        "folder": "verify/checker", "exclude": {"check_main.c"}, "sources": ".c", "compile": ["cc", "-std=c11", "-DAXC_ONE_TARGET"],
        "link": ["cc"], "quick": ["killer_golden", "killer_checker", "killer_checker_report", "killer_checker_paths", "killer_brute_force"],
        "slow": ["killer_property_checker", "killer_tamper"],
    },
    # A changed header of lib/bound is seen by its sources and, built again, by the killers' own; not by what else includes it.
    "bound": {
        "folder": "lib/bound", "exclude": set(), "sources": ".cpp", "compile": ["c++", "-std=c++20"], "link": ["c++"],
        "quick": ["killer_bound_paths", "killer_bound", "killer_kernel_order", "killer_requantization"], "slow": ["killer_brute_force_bound", "killer_property_bound"],
        "users": ["unit/bound_paths.cpp", "unit/bound.cpp", "unit/kernel_order.cpp", "unit/requantization.cpp", "property/brute_force_bound.cpp",
                  "property/bound.cpp"],
    },
    "program": {
        "folder": "verify/checker", "only": "check_main.c", "sources": ".c", "compile": ["cc", "-std=c11", "-DAXC_ONE_TARGET"],
        "link": ["cc"], "quick": ["program.py"], "slow": [],
    },
}
PLAIN = ["-O0"]
BESIDE = {"-O0": ["-O2"]}  # what is linked beside the mutated file is not changed: it may as well be fast
ADDRESS = ["-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
SAME_CODE = ["-O2"]
USERS = ["-O1"]  # tests, built again with a changed header: half as long to compile as with -O2, and not slow
# What the sources of lib/bound include of others, compiled once.
PRECOMPILED = ["algorithm", "array", "cstdint", "cstdlib", "limits", "map", "optional", "span", "string", "vector", "axecert/datapath/datapath.hpp",
               "axecert/numeric/error.hpp"]
PROCESSORS_DIFFER = "processors differ."  # the end of a reason that need not hold on every one
HOST = "killer_host"  # a test program without tests: they come as a shared library, with the subject
ARGUMENTS = {"killer_brute_force": ["--instances", "400", "--seed", "3"]}  # the others are doctest programs

Outcome = collections.namedtuple("Outcome", "mutant state by seconds")  # state: killed, stillborn, same code, survived


class Laboratory:
    """Compiles the subject, whole or mutated, and runs killers on it."""

    def __init__(self, name, root, killers, folder):
        subject = SUBJECTS[name]
        self.root, self.folder, self.killer_folder = root, folder, killers
        self.compile, self.link, self.suffix = subject["compile"], subject["link"], subject["sources"]
        # tcc compiles a file in a twentieth of the time; what it makes is only asked to be wrong.
        self.fast = ["tcc", "-std=c11", "-DAXC_ONE_TARGET"] if self.suffix == ".c" and shutil.which("tcc") else None
        self.is_program = name == "program"
        files = sorted(path for path in (root / subject["folder"]).iterdir() if path.suffix in {".c", ".h", ".cpp", ".hpp"})
        self.sources = [path for path in files if path.suffix == self.suffix and (self.is_program or path.name not in subject["exclude"])]
        self.files = [path for path in files if (path.name == subject["only"] if self.is_program else path.name not in subject["exclude"])]
        self.includes = ["-I", str(killers / "include")] if name == "bound" else ["-I", str(root / subject["folder"])]
        self.quick, self.slow = subject["quick"], subject["slow"]
        self.users = [root / "tests" / name for name in subject.get("users", [])]
        self.host = [HOST] if self.users else []
        self.user_objects = None
        missing = [killer for killer in self.quick + self.slow + self.host if killer != "program.py" and not (killers / killer).is_file()]
        if missing:
            raise SystemExit(f"{killers}: lacks {', '.join(missing)}; build the target mutation_killers")
        self.precompiled = {}
        self.objects = {}
        self.lock = threading.Lock()
        asan = subprocess.run([*self.link, "-print-file-name=libasan.so"], capture_output=True, text=True, check=True).stdout.strip()
        self.asan = os.path.realpath(asan)
        self.costs = {}
        self.only_quick = self.sampling = False
        self.reasons = {}

    def build_object(self, source, text, target, flags):
        """Compiles `text` as if it stood in the place of `source`. False when it does not compile."""
        language = ["-x", "c" if self.suffix == ".c" else "c++"]
        command = [*self.compile, *flags, *self.includes, *self.precompiled.get(tuple(flags), []), "-I", str(source.parent), "-fPIC", "-w", *language,
                   "-", "-c", "-o", str(target)]
        if self.fast and flags == PLAIN:
            command = [*self.fast, "-I", str(source.parent), "-w", "-fPIC", "-c", "-o", str(target), "-"]
        return subprocess.run(command, input=text.encode(), capture_output=True, cwd=source.parent).returncode == 0

    def originals(self, flags):
        """The subject's objects as it is, compiled once for every set of flags."""
        with self.lock:
            if tuple(flags) not in self.objects:
                self.objects[tuple(flags)] = self.build_objects(flags)
        return self.objects[tuple(flags)]

    def build_objects(self, flags):
        folder = self.folder / f"original{len(self.objects)}"
        folder.mkdir()
        objects = {}
        if self.suffix == ".cpp":
            header = folder / "precompiled.hpp"
            header.write_text("".join(f"#include <{name}>\n" for name in PRECOMPILED))
            subprocess.run([*self.compile, *flags, *self.includes, "-fPIC", "-w", "-x", "c++-header", str(header), "-o", f"{header}.gch"],
                           check=True)
            self.precompiled[tuple(flags)] = ["-include", str(header)]
        for source in self.sources:
            objects[source] = folder / (source.name + ".o")
            if not self.build_object(source, source.read_text(), objects[source], BESIDE.get(flags[0], flags)):
                raise SystemExit(f"{source} does not compile with {' '.join(flags)}")
        return objects

    def library(self, mutant, folder, flags):
        """The subject with one file changed, as a shared library; None when it does not compile."""
        objects = dict(self.originals(flags))
        changed = self.root / mutant.file
        if changed.suffix == self.suffix:
            objects[changed] = folder / "changed.o"
            if not self.build_object(changed, mutant.text, objects[changed], flags):
                return None
        elif not self.build_with_header(mutant, folder, flags, objects):
            return None
        return self.linked(objects, folder, flags)

    def shadow(self, mutant, folder):
        """A folder with the subject's headers, the changed one among them."""
        changed = self.root / mutant.file
        shadow = folder / "shadow"
        shadow.mkdir(exist_ok=True)
        for path in self.files:
            if path != changed and path.suffix in {".h", ".hpp"}:
                (shadow / path.name).write_text(path.read_text())
        (shadow / changed.name).write_text(mutant.text)
        inner = shadow / "axecert"
        inner.mkdir(exist_ok=True)
        (inner / changed.parent.name).unlink(missing_ok=True)
        (inner / changed.parent.name).symlink_to(shadow)
        return shadow

    def build_users(self, folder, headers):
        """The killers' own sources as objects, with the headers of a folder before the others. None when one does not compile."""
        objects = {}
        for source in self.users:
            objects[source] = folder / f"user-{source.parent.name}-{source.name}.o"
            command = [*self.compile, *USERS, *headers, *self.includes, f'-DAXECERT_SOURCE_DIR="{self.root}"', "-fPIC", "-w", "-c", "-o",
                       str(objects[source]), str(source)]
            if subprocess.run(command, capture_output=True, cwd=folder).returncode != 0:
                return None
        return objects

    def original_users(self):
        """The killers' own sources as they are; they must be content with the subject as it is."""
        with self.lock:
            if self.user_objects is None:
                folder = self.folder / "users"
                folder.mkdir()
                self.user_objects = self.build_users(folder, [])
                if self.user_objects is None:
                    raise SystemExit("the killers' own sources do not compile")
        return self.user_objects

    def judge_users(self, mutant, library, folder):
        """What the killers, built with the changed header, make of it: "stillborn", "killed", "same code" (no object of theirs differs) or "survived"."""
        originals = self.original_users()
        objects = self.build_users(folder, ["-I", str(self.shadow(mutant, folder))])
        if objects is None:
            return "stillborn"
        if all(path.read_bytes() == originals[source].read_bytes() for source, path in objects.items()):
            return "same code"
        limit = math.ceil(10 * self.cost(HOST, False) + 0.5)
        return "killed" if self.processor_time(HOST, [self.linked_users(objects, folder), library], False, limit) is None else "survived"

    def linked_users(self, objects, folder):
        target = folder / "users.so"
        subprocess.run([*self.link, "-shared", "-o", str(target), *map(str, objects.values())], check=True, capture_output=True)
        return target

    def build_with_header(self, mutant, folder, flags, objects, also=()):
        """Every source again, with the changed header before the original, and the flags `also`. False when one does not compile."""
        shadow = self.shadow(mutant, folder)
        for source in self.sources:
            objects[source] = folder / (source.name + ".o")
            command = [*self.compile, *flags, *also, "-I", str(shadow), *self.includes, *self.precompiled.get(tuple(flags), []), "-fPIC", "-w", "-c", "-o",
                       str(objects[source]), "-x", "c" if self.suffix == ".c" else "c++", "-"]
            if self.fast and flags == PLAIN:
                command = [*self.fast, *also, "-I", str(shadow), "-w", "-fPIC", "-c", "-o", str(objects[source]), "-"]
            if subprocess.run(command, input=source.read_bytes(), capture_output=True, cwd=shadow).returncode != 0:
                return False
        return True

    def linked(self, objects, folder, flags):
        target = folder / "linked"
        if flags == PLAIN and self.suffix == ".c" and not self.is_program:  # C++ needs what its compiler links beside, __dso_handle for one
            command = ["ld", "-shared"]
        else:
            command = [*self.link, *([] if self.is_program else ["-shared"]), *[f for f in flags if f.startswith("-fsanitize=")]]
        done = subprocess.run([*command, "-o", str(target), *map(str, objects.values())], check=False, capture_output=True)
        return target if done.returncode == 0 else None

    def same_code(self, mutant, folder):
        """Whether the mutant compiles to the original's very object files."""
        changed = self.root / mutant.file
        if changed.suffix != self.suffix:
            objects, originals = {}, self.originals(SAME_CODE)
            return self.build_with_header(mutant, folder, SAME_CODE, objects) and all(
                path.read_bytes() == originals[source].read_bytes() for source, path in objects.items())
        target = folder / "same.o"
        original = self.originals(SAME_CODE)[changed]
        return self.build_object(changed, mutant.text, target, SAME_CODE) and target.read_bytes() == original.read_bytes()

    def run(self, killer, library, sanitizer=False):
        """True when the killer is content with the library (or program)."""
        if self.is_program:
            try:
                program.judge(library, self.root / "tests/golden", 20)
            except (program.Failure, subprocess.TimeoutExpired):
                return False
            return True
        return self.processor_time(killer, [library], sanitizer, math.ceil(10 * self.cost(killer, sanitizer) + 0.5)) is not None

    def processor_time(self, killer, libraries, sanitizer, limit):
        """What the killer took, in seconds; None when it is not content, or takes longer than `limit`."""
        preload = ([self.asan] if sanitizer else []) + [str(library) for library in libraries]
        environment = {**os.environ, "LD_PRELOAD": ":".join(preload), "ASAN_OPTIONS": "detect_leaks=1:allocator_may_return_null=1"}
        process = subprocess.Popen([str(self.killer_folder / killer), *ARGUMENTS.get(killer, ["--abort-after=1", "--no-breaks=true", "-m"])],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment, cwd=self.folder)
        # Processor time, because other programs may run beside; that of a child that ends is known exactly.
        resource.prlimit(process.pid, resource.RLIMIT_CPU, (limit, limit))
        resource.prlimit(process.pid, resource.RLIMIT_CORE, (0, 0))
        if not sanitizer:
            resource.prlimit(process.pid, resource.RLIMIT_AS, (2 << 30, 2 << 30))
        ended = threading.Event()
        threading.Thread(target=end_when_it_sleeps, args=(process.pid, ended), daemon=True).start()
        _, status, usage = os.wait4(process.pid, 0)
        ended.set()
        process.returncode = os.waitstatus_to_exitcode(status)
        return usage.ru_utime + usage.ru_stime if process.returncode == 0 else None

    def cost(self, killer, sanitizer):
        """What the killer takes on the subject as it is; it must be content with it."""
        flags = ADDRESS if sanitizer else PLAIN
        objects = self.originals(flags)
        users = self.original_users() if killer == HOST else {}
        with self.lock:
            if (killer, sanitizer) not in self.costs:
                folder = self.folder / f"measure-{killer}-{int(sanitizer)}"
                folder.mkdir()
                library = self.linked(objects, folder, flags)
                if library is None:
                    raise SystemExit(f"the original does not link with {' '.join(flags)}")
                libraries = [*([self.linked_users(users, folder)] if users else []), library]
                seconds = self.processor_time(killer, libraries, sanitizer, 300)
                if seconds is None:
                    raise SystemExit(f"{killer} fails on the original")
                self.costs[killer, sanitizer] = seconds
        return self.costs[killer, sanitizer]

    def judge(self, mutant):
        start = time.monotonic()
        with tempfile.TemporaryDirectory(dir=self.folder) as name:
            folder = pathlib.Path(name)

            def outcome(state, by=""):
                return Outcome(mutant, state, by, time.monotonic() - start)
            library = self.library(mutant, folder, PLAIN)
            if library is None:
                return outcome("stillborn")
            for killer in self.quick:
                if not self.run(killer, library):
                    return outcome("killed", killer)
            if mutant.file.endswith("/core.h"):  # which has a way of its own for machines of the other byte order
                objects = {}
                if self.build_with_header(mutant, folder, PLAIN, objects, ["-DAXC_ANY_BYTE_ORDER"]):
                    library = self.linked(objects, folder, PLAIN)
                    for killer in self.quick:
                        if not self.run(killer, library):
                            return outcome("killed", killer)
            if self.sampling and reason_for(mutant.key, self.reasons):
                return outcome("survived")
            if self.only_quick:
                return outcome("survived")
            users = self.judge_users(mutant, library, folder) if self.users and not mutant.file.endswith(self.suffix) else "same code"
            if users in ("stillborn", "killed"):
                return outcome(users, HOST)
            if users == "same code" and self.same_code(mutant, folder):
                return outcome("same code")
            for killer in self.slow:
                if not self.run(killer, library):
                    return outcome("killed", killer)
            if self.is_program:  # it has next to no memory of its own, and address spaces are limited in its test
                return outcome("survived")
            library = self.library(mutant, folder, ADDRESS)
            for killer in self.quick:
                if not self.run(killer, library, sanitizer=True):
                    return outcome("killed", killer + " (AddressSanitizer)")
            return outcome("survived")


def end_when_it_sleeps(process, ended):
    """Kills a process that waits for something without using any processor time: a mutant that broke the heap can leave its killer so."""
    before = None
    while not ended.wait(10):
        try:
            fields = pathlib.Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return
        if fields[0] == "S" and fields[11:13] == before and not ended.is_set():
            os.kill(process, signal.SIGKILL)
        before = fields[11:13]


def explained(text):
    """{key: reason} of equivalent.txt: blocks between empty lines, each of one or more keys and then an indented reason. A key that ends with *
    names every mutant that begins like it."""
    found = {}
    for block in text.split("\n\n"):
        lines = [line for line in block.splitlines() if line.strip() and not line.startswith("#")]
        reason = " ".join(line.strip() for line in lines if line[0].isspace())
        keys = [line.strip() for line in lines if not line[0].isspace()]
        if bool(reason) != bool(keys):
            raise SystemExit(f"equivalent.txt: a reason without a mutant, or a mutant without a reason: {block}")
        for key in keys:
            if key in found:
                raise SystemExit(f"equivalent.txt: twice: {key}")
            found[key] = reason
    return found


def reason_for(key, reasons):
    return reasons.get(key) or next((reason for start, reason in reasons.items() if start.endswith("*") and key.startswith(start[:-1])), None)


def main():
    parser = argparse.ArgumentParser(description="Mutation testing of the checker and of the bound engine.")
    parser.add_argument("subject", choices=sorted(SUBJECTS))
    parser.add_argument("repository", type=pathlib.Path)
    parser.add_argument("killers", type=pathlib.Path)
    parser.add_argument("--sample", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--only")
    parser.add_argument("--report", type=pathlib.Path)
    parser.add_argument("--again", type=pathlib.Path)
    parser.add_argument("--minutes", type=float, help="begin no mutant after so long; which are tried is then random")
    parser.add_argument("--quick", action="store_true", help="without what is done to survivors: machine code, slow killers, AddressSanitizer")
    parser.add_argument("--verbose", action="store_true", help="a line for each mutant as it is judged")
    a = parser.parse_args()
    root, start = a.repository.resolve(), time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        laboratory = Laboratory(a.subject, root, a.killers.resolve(), pathlib.Path(name))
        everything = [m for path in laboratory.files for m in mutation.mutants(str(path.relative_to(root)), path.read_text())]
        reasons = {key: reason for key, reason in explained((HERE / "equivalent.txt").read_text()).items()
                   if root / key.split(" | ")[0] in laboratory.files}
        keys = {m.key for m in everything}
        stale = [key for key in reasons if key not in keys and not (key.endswith("*") and any(k.startswith(key[:-1]) for k in keys))]
        before = json.loads(a.again.read_text())["outcomes"] if a.again else {}
        chosen = [m for m in everything if (a.only is None or a.only in m.key) and before.get(m.key, ["survived"])[0] == "survived"]
        if a.sample is not None and a.sample < len(chosen):
            chosen = random.Random(a.seed).sample(chosen, a.sample)
        if a.minutes is not None:
            random.Random(a.seed).shuffle(chosen)
        laboratory.only_quick, laboratory.sampling, laboratory.reasons = a.quick, a.sample is not None, reasons
        if laboratory.is_program:
            program.judge(laboratory.linked(laboratory.originals(PLAIN), pathlib.Path(name), PLAIN), root / "tests/golden")

        if not laboratory.is_program:
            for killer in laboratory.quick:
                laboratory.cost(killer, sanitizer=False)  # the original compiles, links and satisfies them: then it is the mutant that does not

        def judge(mutant):
            in_time = a.minutes is None or time.monotonic() - start < 60 * a.minutes
            return laboratory.judge(mutant) if in_time else None
        with concurrent.futures.ThreadPoolExecutor(a.jobs) as pool:
            outcomes = []
            for future in concurrent.futures.as_completed([pool.submit(judge, mutant) for mutant in chosen]):
                outcome = future.result()
                if outcome is None:
                    continue
                outcomes.append(outcome)
                if a.verbose:
                    print(outcome.state, outcome.by, outcome.mutant.key, flush=True)
    problems = [f"equivalent.txt names no mutant: {key}" for key in stale]
    for o in outcomes:
        if o.state == "survived" and reason_for(o.mutant.key, reasons) is None:
            problems.append(f"survived: {o.mutant.file}:{o.mutant.line}:{o.mutant.column}: {o.mutant.key}")
        if o.state == "killed" and o.mutant.key in reasons and not reasons[o.mutant.key].endswith(PROCESSORS_DIFFER):
            problems.append(f"equivalent.txt lists a mutant that {o.by} kills: {o.mutant.key}")
    for key in reasons:
        killed = [o for o in outcomes if key.endswith("*") and o.state == "killed" and o.mutant.key.startswith(key[:-1])]
        problems += [f"equivalent.txt lists, by a *, a mutant that {o.by} kills: {o.mutant.key}" for o in killed]
    settled = {key: (state, by) for key, (state, by) in before.items() if key in keys} | {o.mutant.key: (o.state, o.by) for o in outcomes}
    if a.report:
        a.report.write_text(json.dumps({"subject": a.subject, "mutants": len(everything), "problems": problems, "outcomes": settled},
                                       indent=0, ensure_ascii=False) + "\n")
    for problem in problems:
        print(problem)
    table = collections.defaultdict(collections.Counter)
    for key, (state, _) in settled.items():
        table[key.split(" | ")[0]]["explained" if state == "survived" and reason_for(key, reasons) else state] += 1
    columns = ["killed", "stillborn", "same code", "explained", "survived"]
    print("| file | mutants | killed | do not compile | same machine code | explained | not killed |\n| --- |" + " ---: |" * 6)
    for file, row in [*sorted(table.items()), ("all", sum(table.values(), collections.Counter()))]:
        print(f"| {file} | {sum(row.values()):,} | " + " | ".join(f"{row[column]:,}" for column in columns) + " |")
    by = collections.Counter(by for state, by in settled.values() if state == "killed")
    print(f"{a.subject}: {len(outcomes)} of {len(everything)} mutants tried in {time.monotonic() - start:.0f} s, {len(problems)} problems; killed by "
          + ", ".join(f"{killer.removeprefix('killer_')} {count}" for killer, count in by.most_common()))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
