package dev.medley.spark;

import java.util.ArrayList;
import java.util.Collection;
import scala.collection.Iterable;
import scala.collection.Iterator;
import scala.collection.immutable.$colon$colon;
import scala.collection.immutable.List;
import scala.collection.immutable.Nil$;

/**
 * Java's lists as Scala's and back. A List is a Seq in Scala 2.12 as in 2.13, which mean different
 * ones by that name.
 */
final class ScalaLists {
  private ScalaLists() {}

  @SuppressWarnings("unchecked") // an empty list is one of anything
  static <T> List<T> of(Collection<? extends T> elements) {
    java.util.List<T> all = new ArrayList<>(elements);
    List<T> list = (List<T>) (Object) Nil$.MODULE$;
    for (int i = all.size() - 1; i >= 0; i--) {
      list = new $colon$colon<>(all.get(i), list);
    }
    return list;
  }

  static <T> List<T> one(T element) {
    return of(java.util.List.of(element));
  }

  static <T> java.util.List<T> java(Iterable<? extends T> elements) {
    java.util.List<T> list = new ArrayList<>();
    Iterator<? extends T> each = elements.iterator();
    while (each.hasNext()) {
      list.add(each.next());
    }
    return list;
  }
}
