#!/usr/bin/env python3
"""A small implementation of anonymous memory without an MMU, as a target for nommu-oracle.

    nommu-oracle replay --target "exec:python3 oracle/examples/target.py" TRACE

It shows what a target has to do, and it shares no code with the rest: it reads specs/protocol.md's
questions from its standard input and answers them on its standard output. It has anonymous mappings,
their trimming, and loads and stores; what it does not have it answers with `unsupported`.
"""

import re
import sys

VERSION = 1
SIGHT = "mappings|regions|records|copied|free|contents"
LETTERS = {"r": 4, "w": 2, "x": 1}


class Refused(Exception):
    """An error that the caller gets."""


class Region:
    """A contiguous run of pages: `end` bounds what was asked for, `top` what is kept."""

    def __init__(self, start, end, top, letters):
        self.start, self.end, self.top, self.letters = start, end, top, letters


class System:
    """Memory, and who has what of it."""

    def __init__(self, settings):
        self.page = settings["page"]
        self.pages = settings.get("pages", 64)
        self.start = settings.get("start", 0x40000000)
        self.trim = settings["trim"]
        self.permits_uninitialized = settings["uninitialized"]
        self.memory = bytearray(self.page * self.pages)
        self.taken = [False] * self.pages
        self.processes = {number: [] for number in range(settings["processes"])}
        self.addresses = {}

    def round_up(self, length):
        return -(-length // self.page) * self.page

    def allocate(self, pages):
        """The lowest naturally aligned free run of a power of two of pages; the excess may go back."""
        granule = 1 << (pages - 1).bit_length()
        for first in range(0, self.pages - granule + 1, granule):
            if not any(self.taken[first : first + granule]):
                break
        else:
            raise Refused("ENOMEM")
        keep = granule
        if self.trim and granule - pages >= self.trim:
            keep = pages
        self.taken[first : first + keep] = [True] * keep
        return self.start + first * self.page, keep

    def release(self, start, end):
        first, last = ((at - self.start) // self.page for at in (start, end))
        self.taken[first:last] = [False] * (last - first)

    def offset(self, process, address, length):
        """Where a range is in memory, if it lies in one mapping of the process."""
        for region in self.processes[process]:
            if region.start <= address and address + length <= region.end:
                return address - self.start
        raise Refused("EFAULT")

    def mmap(self, process, length, letters, flags):
        if "fixed" in flags or ("shared" in flags) == ("private" in flags) or not length:
            raise Refused("EINVAL")
        if length > 1 << 62:
            raise Refused("ENOMEM")
        pages = self.round_up(length) // self.page
        if pages > self.pages:
            raise Refused("ENOMEM")
        start, keep = self.allocate(pages)
        end = start + pages * self.page
        if not ("uninitialized" in flags and self.permits_uninitialized):
            at = start - self.start
            self.memory[at : at + pages * self.page] = bytes(pages * self.page)
        self.processes[process].append(Region(start, end, start + keep * self.page, letters))
        return start

    def munmap(self, process, address, length):
        end = address + self.round_up(length)
        regions = self.processes[process]
        for region in regions:
            if length and address % self.page == 0 and region.start <= address and end <= region.end:
                break
        else:
            raise Refused("EINVAL")
        regions.remove(region)
        if address > region.start:
            # Of the lower piece, only the last keeps what lies beyond the end.
            regions.append(Region(region.start, address, address, region.letters))
        if end < region.end:
            regions.append(Region(end, region.end, region.top, region.letters))
            self.release(address, end)
        else:
            self.release(address, region.top)

    def exit(self, process):
        for region in self.processes.pop(process):
            self.release(region.start, region.top)

    def free_blocks(self):
        """The free pages as the largest aligned blocks."""
        at = 0
        while at < self.pages:
            if self.taken[at]:
                at += 1
                continue
            order = 0
            while True:
                size = 2 << order
                if at % size or at + size > self.pages or any(self.taken[at : at + size]):
                    break
                order += 1
            yield self.start + at * self.page, order
            at += 1 << order


def number(text):
    return int(text, 0)


def field(name, text):
    found = re.search(rf"\b{name}=([^,)]+)", text)
    return found and found.group(1)


class Target:
    """Reads questions and writes answers."""

    def __init__(self):
        self.system = None
        self.gone = []

    def address(self, text):
        found = re.fullmatch(r"m(\d+)(?:([+-])(\w+))?", text)
        if not found:
            return number(text)
        offset = number(found.group(3) or "0")
        base = self.system.addresses.get(int(found.group(1)), 0)
        return (base + (offset if found.group(2) != "-" else -offset)) % (1 << 64)

    def fill(self, text):
        byte, count = re.fullmatch(r'"(.+)"\*(\d+)', text).groups()
        if byte.startswith("\\x"):
            value = int(byte[2:], 16)
        else:
            value = ord(byte[-1])
        return bytes([value]) * int(count)

    def operation(self, line):
        system = self.system
        if line.startswith("sysctl "):
            system.trim = number(line.split("=")[1])
            return "done"
        found = re.fullmatch(r"p(\d+)  (?:(\w+) = )?(\w+)\((.*)\)", line)
        if not found:
            return "unsupported"
        process, name, call, rest = int(found.group(1)), found.group(2), found.group(3), found.group(4)
        words = rest.split(", ")
        if call == "mmap":
            if "fd=" in rest or "addr=" in rest:
                return "unsupported"
            system.addresses[int(name[1:])] = 0
            if number(field("off", rest) or "0") % system.page:
                raise Refused("EINVAL")
            letters = field("prot", rest).replace("none", "")
            letters = "".join(letter if letter in letters else "-" for letter in "rwx")
            start = system.mmap(process, number(field("len", rest)), letters, field("flags", rest))
            system.addresses[int(name[1:])] = start
            return f"address {start:#x}"
        if call == "munmap":
            system.munmap(process, self.address(words[0]), number(words[1]))
            return "done"
        if call == "load":
            length = number(words[1])
            if not length:
                return "bytes "
            at = system.offset(process, self.address(words[0]), length)
            return "bytes " + system.memory[at : at + length].hex()
        if call == "store":
            data = self.fill(words[1])
            if data:
                at = system.offset(process, self.address(words[0]), len(data))
                system.memory[at : at + len(data)] = data
            return "done"
        if call == "exit":
            system.exit(process)
            self.gone.append(process)
            return "done"
        return "unsupported"

    def parts(self):
        system = self.system
        everyone = []
        for process in self.gone:
            yield f"gone p{process}"
        self.gone = []
        for process, regions in system.processes.items():
            everyone += regions
            yield f"mappings p{process} {len(regions)}"
            for region in sorted(regions, key=lambda region: region.start):
                yield f"- {region.start:#x} {region.end:#x} {region.letters}p anonymous 0x0"
        yield f"regions {len(everyone)}"
        for region in sorted(everyone, key=lambda region: region.start):
            bounds = f"{region.start:#x} {region.end:#x} {region.top:#x}"
            yield f"- {bounds} {region.letters} copy anonymous 0x0 1"
        yield f"copied {sum(region.top - region.start for region in everyone) // system.page}"
        free = list(system.free_blocks())
        yield f"free {len(free)}"
        for start, order in free:
            yield f"- {start:#x} {order}"

    def show(self, line):
        _, what, *numbers = line.split(" ")
        if what != "memory":
            return "unsupported"
        at, length = number(numbers[0]) - self.system.start, number(numbers[1])
        if at < 0 or at + length > len(self.system.memory):
            return "unsupported"
        return "bytes " + self.system.memory[at : at + length].hex()

    def answer(self, line):
        if line.startswith("nommu-protocol "):
            yield f"nommu-protocol {VERSION} python-example {SIGHT}"
            return
        if line.startswith("reset "):
            settings = dict(setting.split("=") for setting in line.split(" ")[1:])
            wants_uninitialized = settings.pop("uninitialized") == "yes"
            settings = {name: number(value) for name, value in settings.items()}
            self.system = System(settings | {"uninitialized": wants_uninitialized})
            yield "= ready"
        elif line.startswith("show "):
            yield "= " + self.show(line)
            yield "."
            return
        else:
            try:
                yield "= " + self.operation(line)
            except Refused as refused:
                yield f"= error {refused}"
        yield from self.parts()
        yield "."


def main():
    target = Target()
    for line in sys.stdin:
        line = line.rstrip("\n")
        if line == "end":
            break
        for answer in target.answer(line):
            print(answer)
        sys.stdout.flush()


if __name__ == "__main__":
    main()
