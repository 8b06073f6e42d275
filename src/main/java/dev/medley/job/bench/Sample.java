package dev.medley.job.bench;

/**
 * What some rows took.
 *
 * @param seconds on the clock
 * @param cpuSeconds of all threads of the process
 * @param tokens of the rows; 0 where what they cost does not go with them
 */
record Sample(int rows, long tokens, double seconds, double cpuSeconds) {}
