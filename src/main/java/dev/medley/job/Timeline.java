package dev.medley.job;

import java.util.ArrayList;
import java.util.List;

/**
 * How far a job was when, in bounded memory: where there are too many points every second one goes,
 * and the next ones come half as often. For use by many threads.
 */
final class Timeline {
  private static final int MOST = 512;

  private final List<Point> points = new ArrayList<>();
  private double interval;

  /** Sums since the start. */
  record Point(double seconds, long rows, long tokens) {}

  /** Nothing yet; points come no closer than so many seconds. */
  Timeline(double interval) {
    this.interval = interval;
  }

  /** Adds a point unless it comes too soon. */
  synchronized void add(Point point) {
    if (points.isEmpty() || point.seconds - seconds() >= interval) {
      end(point);
    }
  }

  /** Adds the last point, however soon it comes. */
  synchronized void end(Point point) {
    points.add(point);
    if (points.size() >= MOST) {
      List<Point> kept = new ArrayList<>();
      for (int i = 1; i < points.size(); i += 2) {
        kept.add(points.get(i));
      }
      points.clear();
      points.addAll(kept);
      interval *= 2;
    }
  }

  /** Of the last point; 0 for none. */
  synchronized double seconds() {
    return points.isEmpty() ? 0 : points.get(points.size() - 1).seconds;
  }

  synchronized List<Point> points() {
    return List.copyOf(points);
  }
}
