/** An owner, and the position of the entry that began its ownership. */
export interface Owner {
  readonly node: string;
  readonly url: string;
  readonly epoch: number;
}

/** How far a file has come. */
export interface Past {
  readonly position: number;
  /** As of that entry nobody owns: the last owner has left, or there was none. */
  readonly isUnowned: boolean;
}

/** An entry, as far as the state machine has to know it. */
export interface SeenEntry {
  readonly position: number;
  readonly kind: 'own' | 'beat' | 'batch' | 'leave';
  readonly epoch: number;
  /** The node that wrote it, in an `own` or a `beat`. */
  readonly node?: string;
  readonly url?: string;
}

export type Input =
  | { readonly type: 'tick' }
  /** An entry of another node is in this node's file. */
  | { readonly type: 'entered'; readonly entry: SeenEntry }
  /** The log has answered the probe of that number: its last position. */
  | { readonly type: 'probed'; readonly number: number; readonly last: number }
  | { readonly type: 'unprobed'; readonly number: number }
  /** The claim is in the log; it was not before `sentAt`. */
  | { readonly type: 'claimed'; readonly sentAt: number }
  /** Another entry stands where the claim was to stand. */
  | { readonly type: 'refused' }
  /** It is not known whether the claim is in the log. */
  | { readonly type: 'undecided' }
  /** The host that was asked for works. */
  | { readonly type: 'began' }
  /** It could not be made. */
  | { readonly type: 'unable' }
  /** An entry of this owner is in the log; its append went out at `sentAt`. */
  | { readonly type: 'heard'; readonly sentAt: number }
  /** A beat has failed, and it is not known whether it is in the log. */
  | { readonly type: 'unheard' }
  /** Another node's entry stands where one of this owner was to stand. */
  | { readonly type: 'deposed' }
  /** The ownership that this node gives up has been left, or that could not be written. */
  | { readonly type: 'resigned' }
  /** This node's file is no prefix of the log, or the log has forgotten what comes after it. */
  | { readonly type: 'apart' }
  /** The file is open again. */
  | { readonly type: 'reopened'; readonly past: Past }
  /** The node is to end. */
  | { readonly type: 'leave' };

export type Action =
  /** Ask the log for its ends; answered by `probed` or `unprobed`. */
  | { readonly type: 'probe'; readonly number: number }
  /** Follow no more, and append `own` right after a position; always with the same bytes. Answered by `claimed`, `refused`, `undecided` or `apart`. */
  | { readonly type: 'claim'; readonly after: number }
  /** The claim was refused, or the file is open again: follow. */
  | { readonly type: 'follow' }
  /** Make a host. Answered by `began` or `unable`. */
  | { readonly type: 'own'; readonly epoch: number }
  | { readonly type: 'beat' }
  /** The log has confirmed nothing for the lease, and another node may own: begin nothing until `release`. */
  | { readonly type: 'hold' }
  | { readonly type: 'release' }
  /** Throw the host away, now. */
  | { readonly type: 'depose' }
  /** Append `leave`, once; answered by `resigned`. */
  | { readonly type: 'resign' }
  /** Close the file, and open it again as something that can follow; `isUnfit`: it was found apart from the log. Answered by `reopened`. */
  | { readonly type: 'reopen'; readonly isUnfit: boolean }
  /** Everything is done that a node has to do before it ends. */
  | { readonly type: 'gone' };
