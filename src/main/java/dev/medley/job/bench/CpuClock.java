package dev.medley.job.bench;

import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;

/**
 * The time on the clock, and that of all threads of this process.
 *
 * @param cpu nanoseconds of all threads
 * @param nanos on the clock
 */
record CpuClock(long cpu, long nanos) {
  private static final OperatingSystemMXBean PROCESS =
      ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class);

  /** From here on. */
  static CpuClock start() {
    return new CpuClock(PROCESS.getProcessCpuTime(), System.nanoTime());
  }

  /** What rows took that were scored since. */
  Sample sample(int rows, long tokens) {
    long end = System.nanoTime();
    return new Sample(rows, tokens, (end - nanos) / 1e9, (PROCESS.getProcessCpuTime() - cpu) / 1e9);
  }
}
