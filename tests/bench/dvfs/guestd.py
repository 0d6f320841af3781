# SPDX-License-Identifier: LGPL-2.1-or-later
"""When guestd says what: its rules of steps, leases and the explicit zero (guestd/reporter.c), how its eBPF source
wakes it (guestd/pelt_step.h, guest_signal.c) and when it looks by itself on /proc (guestd/guest.c). Times are us,
utilizations 1/1024. guestd costs nothing here, so its intervals are their shortest. Where guestd reckons in
integers so does this: replay.c, which is made of guestd's own files, comes to the same reports (check_plan.py)."""

import pelt

FULL = 1024
STEP = 31                   # `step = 3%`
LEAST = 102                 # REPORTER_LEAST_1024
LEASE_USEC = 600_000        # `lease`
RISE_USEC, FALL_USEC, REST_USEC = 4_000, 20_000, 50_000     # guestd/pelt_estimate.c
INTERVAL_USEC, IDLE_INTERVAL_USEC, WINDOW_USEC = 10_000, 250_000, 20_000   # `interval`, `idle_interval`, `window`
QUIET_SAMPLES, ACTIVE_PART = 10, 32         # guestd/guest.c, guestd/estimate.c
SATURATED = 992             # both sources' SATURATED_1024
HALF_LIFE_USEC = 32 * 1024 * 1024 / 1000    # PELT's
UNKNOWN = 65535             # PROTO_UNKNOWN_U16


PERIOD_SHIFT, PERIODS_MAX = 20, 512         # guestd/pelt_record.c
RUNG_SHIFT = 10                             # PELT_RUNG_SHIFT


def faded(value, usec):
    return value * 0.5 ** (usec / HALF_LIFE_USEC)


def decayed(value, nsec):
    """The same as guestd does it (pelt_decay)."""
    periods, part = nsec >> PERIOD_SHIFT, nsec & ((1 << PERIOD_SHIFT) - 1)
    halvings, n = divmod(periods, pelt.HALF_LIFE)
    powers = pelt.DECAY + [1 << 31]
    power = powers[n] - ((powers[n] - powers[n + 1]) * part >> PERIOD_SHIFT)
    return ((value >> halvings) * power + (1 << 31)) >> 32


class Estimate:
    """What a source says of a CPU; demand is util_est, which is never below util_avg."""

    __slots__ = ("avg", "demand", "runnable", "saturated")

    def __init__(self, avg=0, demand=0, runnable=0, saturated=False):
        self.avg, self.demand, self.runnable, self.saturated = avg, demand, runnable, saturated


class Vcpu:
    """What was put, and what was sent."""

    __slots__ = ("now", "value", "reported", "sent", "sent_avg", "sent_saturated")

    def __init__(self):
        self.now, self.value, self.reported = Estimate(), 0, False
        self.sent = self.sent_avg = 0
        self.sent_saturated = False


class Reporter:
    """guestd/reporter.c, but for PINGs and the frequency's scale, which is always full here."""

    def __init__(self, cpus):
        self.vcpus = [Vcpu() for _cpu in range(cpus)]
        self.last_usec = 0

    def put(self, cpu, estimate):
        vcpu = self.vcpus[cpu]
        least = LEAST if vcpu.value == 0 else (LEAST + 1) // 2
        vcpu.now = estimate
        vcpu.value = estimate.demand if estimate.demand >= least else 0

    def is_due(self, vcpu):
        if not vcpu.reported:
            return True
        if vcpu.value == 0:
            return vcpu.sent > 0
        return (vcpu.value >= vcpu.sent + STEP or (vcpu.value == FULL and vcpu.sent < FULL)
                or vcpu.value + 2 * STEP <= vcpu.sent or (vcpu.now.saturated and not vcpu.sent_saturated))

    def is_worth_it(self, vcpu):
        avg = vcpu.now.avg if vcpu.value > 0 else 0
        return self.is_due(vcpu) or max(abs(vcpu.value - vcpu.sent), abs(avg - vcpu.sent_avg)) >= STEP // 4

    def holds(self):
        return any(vcpu.sent > 0 for vcpu in self.vcpus)

    def is_busy(self):
        return any(vcpu.value > 0 for vcpu in self.vcpus)

    def next_usec(self):
        """When the lease is renewed; None if there is none."""
        return self.last_usec + LEASE_USEC // 3 if self.holds() else None

    def report(self, usec):
        """[(cpu, util_avg, util_est, runnable)] if one is due, or None."""
        if not any(self.is_due(vcpu) for vcpu in self.vcpus) and (
                not self.holds() or usec - self.last_usec < LEASE_USEC // 3):
            return None
        self.last_usec = usec
        return [self._take(cpu, vcpu) for cpu, vcpu in enumerate(self.vcpus) if self.is_worth_it(vcpu)]

    def _take(self, cpu, vcpu):
        idle = vcpu.value == 0
        vcpu.reported, vcpu.sent = True, vcpu.value
        vcpu.sent_avg = 0 if idle else vcpu.now.avg
        vcpu.sent_saturated = not idle and vcpu.now.saturated
        return cpu, vcpu.sent_avg, 0 if idle else vcpu.now.demand, vcpu.now.runnable


class Record:
    """A CPU's struct pelt_record: what the eBPF programs saw last."""

    __slots__ = ("avg", "est", "runnable", "stamp", "idle", "sent", "waiting", "rung")

    def __init__(self):
        self.avg = self.est = self.runnable = self.stamp = self.sent = 0
        self.idle = 0               # since when; None while it isn't
        self.waiting, self.rung = False, -(1 << 20)     # in 1024 ns, the lowest bit left out

    def settled(self, usec):
        """What guestd makes of it: an idle CPU's average fades (pelt_record_settle)."""
        if self.idle is None:
            return Estimate(self.avg, max(self.avg, self.est), self.runnable, self.avg >= SATURATED)
        avg = decayed(self.avg, (usec - max(self.stamp, self.idle)) * 1000)
        return Estimate(avg, avg, 0)

    def reason(self, demand):
        """"rise" or "fall": guestd should know (pelt_step_is_off)."""
        if demand >= self.sent + STEP or (demand == FULL and self.sent < FULL):
            return "rise" if self.sent or demand >= LEAST else None
        if self.sent and (demand + 2 * STEP <= self.sent or 2 * demand < LEAST):
            return "fall"
        return None

    def rings(self, usec):
        """Whether it wakes guestd (pelt_step_due); it is noted."""
        reason = self.reason(max(self.avg, self.est))
        now, pause = usec * 1000 >> RUNG_SHIFT, (RISE_USEC if reason == "rise" else FALL_USEC) * 1000 >> RUNG_SHIFT
        if not reason or self.waiting or now - self.rung < pause:
            return False
        self.waiting, self.rung = True, now & ~1
        return True

    def falls_in(self, usec):
        """In what time it has to be looked at again, or None (pelt_estimate_fall_nsec): when it would have fallen to
        half, or to nothing, if it is idle from now on; for it doesn't ring then."""
        if not self.sent:
            return None
        nothing, value = (LEAST - 1) // 2, self.settled(usec).demand
        low = min(self.sent // 2, max(self.sent - 2 * STEP, 0))
        low = low if low > 2 * nothing else nothing - 1
        periods = 0
        while periods < PERIODS_MAX and decayed(value, periods << PERIOD_SHIFT) > low:
            periods += 1
        return max((periods << PERIOD_SHIFT) // 1000, REST_USEC)


class Looker:
    """guestd on its eBPF source: `look` when a record rang or the time has come."""

    def __init__(self, cpus):
        self.records = [Record() for _cpu in range(cpus)]
        self.reporter = Reporter(cpus)
        self.next_usec = 0          # None: only when something rings

    def look(self, usec):
        """The report that goes out, or None."""
        for cpu, record in enumerate(self.records):
            self.reporter.put(cpu, record.settled(usec))
        out = self.reporter.report(usec)
        self._settle(usec)
        return out

    def _settle(self, usec):
        """When to look again (guest_signal_settle)."""
        lease, waits, moved = self.reporter.next_usec(), [], False
        if lease is not None:
            waits.append(lease - usec if lease > usec else RISE_USEC)
        for record, vcpu in zip(self.records, self.reporter.vcpus):
            record.sent, record.waiting = vcpu.sent, False
            wait = record.falls_in(usec)
            if wait is not None:
                waits.append(max(wait, FALL_USEC))
            moved = moved or record.reason(record.settled(usec).demand) is not None
        if moved:
            waits.append(RISE_USEC)
        self.next_usec = usec + min(waits) if waits else None


class Sampled:
    """A CPU as the /proc source sees it (common/pelt.c, guestd/estimate.c)."""

    def __init__(self):
        self.util = self.peak = 0.0
        self.past = []              # [(us, busy us)], the newest last

    def advance(self, usec, busy):
        if usec <= 0:
            return
        self.util = faded(self.util, usec) + FULL * busy / usec * (1 - faded(1, usec))
        self.peak = max(faded(self.peak, usec / 2), self.util)
        self.past.append((usec, busy))

    def share(self):
        """Of the window that ends now."""
        left, busy = WINDOW_USEC, 0
        for at in range(len(self.past) - 1, -1, -1):
            usec, part = self.past[at]
            busy += part * min(left, usec) / usec
            left -= min(left, usec)
            if left == 0:
                del self.past[:at]
                break
        return int(busy * FULL / WINDOW_USEC)

    def estimate(self):
        avg, share = int(self.util + 0.5), self.share()
        return Estimate(avg, max(int(self.peak), share, avg), UNKNOWN, share >= SATURATED)


class Sampler:
    """guestd on its /proc source: `sample` when the time has come."""

    def __init__(self, cpus):
        self.cpus = [Sampled() for _cpu in range(cpus)]
        self.reporter = Reporter(cpus)
        self.next_usec, self.last_usec, self.quiet = 0, 0, 0

    def sample(self, usec, busy):
        """busy: of each CPU (us in this sample, us of them without a break at its end). The report, or None."""
        active, passed = False, usec - self.last_usec
        for cpu, (sampled, (ran, recent)) in enumerate(zip(self.cpus, busy)):
            recent = min(recent, ran)
            sampled.advance(passed - recent, ran - recent)
            sampled.advance(recent, recent)
            self.reporter.put(cpu, sampled.estimate())
            active = active or recent > 0 or (ran > passed / ACTIVE_PART and sampled.util > FULL / ACTIVE_PART)
        self.last_usec = usec
        out = self.reporter.report(usec)
        self.quiet = 0 if active else self.quiet + 1
        self.next_usec = usec + self._interval()
        return out

    def _interval(self):
        if self.quiet < QUIET_SAMPLES:
            return INTERVAL_USEC
        return 4 * INTERVAL_USEC if self.reporter.is_busy() else IDLE_INTERVAL_USEC
