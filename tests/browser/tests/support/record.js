// Records what an EventSource of its own receives, as it comes to a listener: a list of `Event`s.
if (!window.recorded) {
  window.recorded = [];
  const source = new EventSource("/events");
  const record = ({ type, lastEventId, data }) => recorded.push({ event_type: type, last_event_id: lastEventId, data });
  for (const type of ["hello", "cpu", "memory", "load", "line", "bye", "message"]) source.addEventListener(type, record);
}
return recorded;
