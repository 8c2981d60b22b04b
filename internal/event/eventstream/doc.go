// Package eventstream reads many files of events as one stream: it cuts them into records, decodes the records on all
// processors, and hands out what they became in an order that is always the same. Records of one file stay in its order;
// several files are merged by the times of their events, so that logs of several servers over the same days come as if they
// had been one. Files are opened when their first event is due and closed at their end.
package eventstream
