"""Submission: takes a campaign from its settings to finished runs, and resumes or cancels it.

Each act has two halves: a function that reads and decides, and returns a frozen plan that can be shown
(`SubmissionPlan`, `ResumePlan`, `CancelPlan`), and one that executes just that. How a submission works:
`plan_submission` (`submission`) looks at what must hold (`preconditions`, `preflight`), divides large steps into
parts (`parts`), and chooses an executor (`executors`); `execute_submission` lets it prepare and submit `Work`
(`work`): the runs, each by a process of BPS (`bps_process`), on HTCondor as one campaign DAG, whose nodes between
the runs call `nodes`. When all has ended, `finish` summarises, writes the report and notifies: in the DAG's last
node, or in the foreground. After a failure `plan_resume` (`resume`) reads the state of everything that was
submitted and decides how it goes on; `plan_cancel` (`cancel`) stops what is active. `outputs` keeps Butler's
collections of a step in order and says what is made, what remains and what must be put right before, and
`forecast` says beforehand what all of it will take.

Four places check, each something else:

- `apcampaign.bps.lint`: submit files alone, without a repository; yields findings;
- `preflight`: a campaign against repository, APDB and scheduler, before submission; reads only, yields
  findings;
- `preconditions`: what must hold at the moment of submission (nothing is active, no errors of the preflight,
  templates are there); refuses;
- `apcampaign.ordering.guards`: a prepared run, in time order and each association once; refuses.

`apcampaign.Campaign` is how all this is used from outside; what a campaign does not get out of by itself is found
and fixed by `apcampaign.doctor`.
"""
