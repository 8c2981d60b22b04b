package consumer

// Hooks is called at named steps, so that a fault harness can end or freeze the process at each. Nil does nothing. The steps:
// "fetched" (records are folded, not applied), "before-letters", "before-apply", "after-apply" (not yet noted by us),
// "before-commit", "resumed" (positions read after the state was elsewhere) and "stopping".
type Hooks func(step string)

// At calls the hook.
func (h Hooks) At(step string) {
	if h != nil {
		h(step)
	}
}
