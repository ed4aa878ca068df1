import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';

interface ConfirmProps {
  title: string;
  /** What is done, on the button that does it. */
  verb: string;
  refuse?: string;
  isDangerous?: boolean;
  /** There is nothing to do: it can only be closed. */
  isOff?: boolean;
  confirm: () => void;
  close: () => void;
  children: ComponentChildren;
}

/** Asks before something is done. The browser keeps the focus inside, and Escape refuses. */
export function Confirm({ title, verb, refuse = 'Cancel', isDangerous = false, isOff = false, confirm, close, children }: ConfirmProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    dialog.current?.showModal();
  }, []);
  return (
    <dialog ref={dialog} aria-labelledby={id} onClose={close}>
      <h2 id={id}>{title}</h2>
      <div>{children}</div>
      <div class="actions">
        <button type="button" onClick={() => dialog.current?.close()}>
          {refuse}
        </button>
        <button type="button" class={isDangerous ? 'primary bad-button' : 'primary'} disabled={isOff} onClick={confirm}>
          {verb}
        </button>
      </div>
    </dialog>
  );
}
