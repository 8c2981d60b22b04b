package windows

// Partition names one partition of an input topic.
type Partition struct {
	Topic string
	ID    int
}
